import type { BaseMessageLike } from "@langchain/core/messages";
import { z } from "zod";
import { modelError, replyFault } from "../ai/failure.ts";
import type { ModelReply } from "../ai/model-call.ts";
import { ModelReference } from "../ai/model-reference.ts";
import { Duration, durationMs } from "../definition/duration.ts";
import { inputSchemaIssues } from "../definition/input-schema.ts";
import { JsonRecord, JsonValue, type Json, type JsonObject } from "../definition/json.ts";
import { SignalboxError, toSignalboxError, type Issue } from "../errors.ts";
import type { ToolReply } from "../tools/tool.ts";
import { actionContext } from "./action-context.ts";
import { messagesOf, Note, turnOf, type AgentCall, type Said, type Turn } from "./agent-notes.ts";
import { messageText, readJson } from "./model-json.ts";
import { defineStepWith, type StepContext } from "./step.ts";
import { createToolbox, type Toolbox } from "./toolbox.ts";

/** A result longer than this is cut: the model reads it again in every later call. */
const MAX_RESULT = 20_000;
const MAX_SHOWN = 500;
const ANSWER_NOW = "There are no more calls. Answer now with what you know.";

const Config = z.strictObject({
  model: ModelReference.default("default").describe("`provider:model`, or `default`"),
  system: JsonValue.optional().describe("Who the agent is and what it must not do"),
  prompt: JsonValue.describe("The task; what is no text is sent as JSON"),
  tools: z.array(z.string().min(1).max(255)).max(50).default([]).describe("Tools it may call; `mcp:<server>/*` is all of a server"),
  responseSchema: JsonRecord.optional().describe("JSON Schema of the answer; the output then has `json`"),
  maxIterations: z.number().int().min(1).max(50).default(10).describe("Model calls at most"),
  maxToolCalls: z.number().int().min(0).max(200).default(20).describe("Tool calls at most"),
  onLimit: z.enum(["answer", "fail"]).default("answer").describe("answer: asked once more, without tools; fail: BUDGET_EXCEEDED"),
  temperature: z.number().min(0).max(2).optional(),
  maxTokens: z.number().int().min(1).max(1_000_000).optional().describe("Of one model call"),
  timeout: Duration.default("60s").describe("For one model call"),
  toolTimeout: Duration.default("60s").describe("For one tool call"),
});
type AgentConfig = z.infer<typeof Config>;
type Context = StepContext<AgentConfig>;

export default defineStepWith<AgentConfig>(({ tools }) => ({
  type: "agent",
  title: "Agent",
  description: "Lets a model call tools until it has an answer. Every call is recorded before the next.",
  group: "AI",
  config: Config,
  literal: ["/tools", "/responseSchema"],
  check({ tools: names, responseSchema }): Issue[] {
    const unknown = names.flatMap((name, index) => {
      const problem = tools.problemWith(name);
      return problem ? [{ code: "INVALID_CONFIG", pointer: `/config/tools/${index}`, ...problem }] : [];
    });
    const schema = inputSchemaIssues(responseSchema).map((issue) => ({
      ...issue,
      pointer: issue.pointer.replace(/^\/input/, "/config/responseSchema"),
    }));
    return [...unknown, ...schema];
  },

  async run(context) {
    const toolbox = await createToolbox(tools, context.config.tools, context.policy);
    // What an attempt before this one did is done: it goes on where the notes end.
    const notes = z.array(Note).parse(await context.journal.read());
    const note = async (entry: Note): Promise<void> => {
      notes.push(entry);
      await context.journal.append(entry);
    };
    for (;;) {
      const turn = turnOf(notes);
      if (turn.call) await note(await answerCall(context, toolbox, turn.call));
      else if (!turn.answer) await note(await ask(context, toolbox, notes, turn));
      else {
        const { json, problem } = readAnswer(context.config, turn.answer);
        if (problem === undefined) return { kind: "done", output: outputOf(notes, turn, json) };
        if (notes.some((entry) => "told" in entry))
          throw modelError("invalid", `${turn.answer.model} gave no answer that fits the schema: ${problem}`, { model: turn.answer.model });
        await note({ told: `That answer cannot be used. ${problem} Answer again with JSON of the schema and nothing else.` });
      }
    }
  },
}));

/** One model call. At a limit the model is asked without tools, so that all it can do is answer. */
async function ask({ config, policy, models, signal }: Context, toolbox: Toolbox, notes: readonly Note[], turn: Turn): Promise<Note> {
  const isLast = turn.iterations + 1 >= config.maxIterations || turn.toolCalls >= config.maxToolCalls;
  const isLimit = isLast && turn.iterations > 0 && toolbox.forModel.length > 0;
  if (isLimit && config.onLimit === "fail") throw limitError(config, turn);
  const reply = await models.complete({
    model: config.model,
    messages: conversation(config, notes, isLimit),
    tools: isLast ? undefined : toolbox.forModel,
    schema: config.responseSchema && { name: "answer", schema: config.responseSchema },
    temperature: config.temperature,
    maxTokens: config.maxTokens,
    timeoutMs: durationMs(config.timeout),
    allowedModels: policy?.allowedModels,
    signal,
  });
  const calls = reply.calls ?? [];
  checkReply(reply, calls.length);
  const { text, model, offline, tokensIn, tokensOut } = reply;
  return { said: text, calls, model, offline, tokensIn, tokensOut };
}

function conversation({ system, prompt }: AgentConfig, notes: readonly Note[], isLimit: boolean): BaseMessageLike[] {
  return [
    ...(system === undefined ? [] : [["system", messageText(system)] satisfies BaseMessageLike]),
    ["user", messageText(prompt)],
    ...messagesOf(notes),
    ...(isLimit ? [["user", ANSWER_NOW] satisfies BaseMessageLike] : []),
  ];
}

function checkReply(reply: ModelReply, calls: number): void {
  // Calls are what an agent is for; whatever else is wrong with an answer is.
  const fault = replyFault(calls > 0 ? { ...reply, toolCalls: [] } : reply);
  if (fault) throw modelError(fault.kind, fault.message, { model: reply.model });
  if (calls === 0 && reply.text.trim() === "")
    throw modelError("invalid", `${reply.model} answered with an empty text.`, { model: reply.model });
}

/** One tool call. A tool that fails is told to the model, which may do better; the end of this attempt is not. */
async function answerCall(context: Context, toolbox: Toolbox, { asked, number }: NonNullable<Turn["call"]>): Promise<Note> {
  const tool = toolbox.get(asked.name);
  const name = tool?.name ?? asked.name;
  const startedAt = context.now();
  const reply = await attempt(context, toolbox, asked, number);
  const text = reply.text.length > MAX_RESULT ? `${reply.text.slice(0, MAX_RESULT)} (cut at ${MAX_RESULT} characters)` : reply.text;
  const data = {
    tool: name,
    number,
    ok: reply.ok,
    latencyMs: context.now() - startedAt,
    args: shown(asked.args),
    text: text.slice(0, MAX_SHOWN),
  };
  context.event({ type: "tool.called", summary: `${name} ${reply.ok ? "answered" : "failed"}: ${text.slice(0, 120)}`, data });
  return { did: asked.id, tool: name, text, ok: reply.ok };
}

async function attempt(
  context: Context,
  toolbox: Toolbox,
  { name, args }: AgentCall,
  number: number,
): Promise<{ text: string; ok: boolean }> {
  const { config, signal, idempotencyKey } = context;
  const tool = toolbox.get(name);
  if (!tool) return { ok: false, text: `There is no tool "${name}".` };
  if (args === null) return { ok: false, text: "The arguments are no JSON object." };
  if (number > config.maxToolCalls) return { ok: false, text: `Not called: ${config.maxToolCalls} calls are allowed.` };
  try {
    const call = { ...actionContext(context, `${idempotencyKey}/${number}`), timeoutMs: durationMs(config.toolTimeout) ?? 60_000 };
    return { ok: true, text: readable(await tool.call(args, call)) };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const error = toSignalboxError(thrown);
    const why = error.code === "INTERNAL" && thrown instanceof Error ? thrown.message : error.message;
    return { ok: false, text: `Error ${error.code}: ${why.slice(0, 1_000)}` };
  }
}

function readable({ text, content }: ToolReply): string {
  return content.length === 0 ? text : `${text}\n(${content.length} parts that are no text)`.trim();
}

function shown(args: JsonObject | null): JsonObject | null {
  return args !== null && JSON.stringify(args).length <= MAX_SHOWN ? args : null;
}

function readAnswer({ responseSchema }: AgentConfig, { said }: Said): { json?: Json; problem?: string } {
  return responseSchema ? readJson({ text: said }, responseSchema) : {};
}

function outputOf(notes: readonly Note[], { answer, iterations }: Turn, json: Json | undefined): JsonObject {
  const said = notes.filter((note) => "said" in note);
  return {
    text: answer?.said ?? "",
    ...(json === undefined ? {} : { json }),
    model: answer?.model ?? null,
    offline: answer?.offline ?? null,
    iterations,
    calls: notes.flatMap((note) => ("did" in note ? [{ tool: note.tool, ok: note.ok }] : [])),
    tokensIn: said.reduce((sum, { tokensIn }) => sum + tokensIn, 0),
    tokensOut: said.reduce((sum, { tokensOut }) => sum + tokensOut, 0),
  };
}

function limitError({ maxIterations, maxToolCalls }: AgentConfig, { iterations, toolCalls }: Turn): SignalboxError {
  const message = `The agent used ${iterations} of ${maxIterations} model calls and ${toolCalls} of ${maxToolCalls} tool calls without an answer.`;
  return new SignalboxError("BUDGET_EXCEEDED", message, { details: { iterations, maxIterations, toolCalls, maxToolCalls } });
}
