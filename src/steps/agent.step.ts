import type { BaseMessageLike } from "@langchain/core/messages";
import { z } from "zod";
import { modelError, replyFault } from "../ai/failure.ts";
import type { ModelReply } from "../ai/model-call.ts";
import { ModelReference } from "../ai/model-reference.ts";
import { Duration, durationMs } from "../definition/duration.ts";
import { inputSchemaIssues } from "../definition/input-schema.ts";
import { JsonRecord, JsonValue, type Json, type JsonObject } from "../definition/json.ts";
import { MemoryConfig, RememberedMessage } from "../definition/memory.ts";
import { SignalboxError, type Issue } from "../errors.ts";
import type { WaitAnswer } from "../definition/wait.ts";
import { answerCall, whyNot } from "./agent-call.ts";
import { Approve, questionOf, type Question } from "./agent-approval.ts";
import { runAgent } from "./agent-graph.ts";
import { goOnElsewhere } from "./own-graph.ts";
import { didOf, messagesOf, saidOf, type Said, type Turn } from "./agent-turns.ts";
import { messageText, readJson, rememberExchange } from "./model-json.ts";
import { defineStepWith, type StepContext, type StepResult } from "./step.ts";
import { createToolbox, type Toolbox } from "./toolbox.ts";

const ANSWER_NOW = "There are no more calls. Answer now with what you know.";

const Config = z.strictObject({
  model: ModelReference.default("default").describe("`provider:model`, or `default`"),
  system: JsonValue.optional().describe("Who the agent is and what it must not do"),
  prompt: JsonValue.describe("The task; what is no text is sent as JSON"),
  tools: z.array(z.string().min(1).max(255)).max(50).default([]).describe("Tools it may call; `mcp:<server>/*` is all of a server"),
  approve: Approve.optional(),
  memory: MemoryConfig.optional(),
  responseSchema: JsonRecord.optional().describe("JSON Schema of the answer; the output then has `json`"),
  maxIterations: z.number().int().min(1).max(50).default(10).describe("Model calls at most"),
  maxToolCalls: z.number().int().min(0).max(200).default(20).describe("Tool calls at most"),
  onLimit: z.enum(["answer", "fail"]).default("answer").describe("answer: asked once more, without tools; fail: BUDGET_EXCEEDED"),
  temperature: z.number().min(0).max(2).optional(),
  maxTokens: z.number().int().min(1).max(1_000_000).optional().describe("Of one model call"),
  stream: z.boolean().default(true).describe("Publish the pieces of what the model says while they come"),
  timeout: Duration.default("60s").describe("For one model call"),
  toolTimeout: Duration.default("60s").describe("For one tool call"),
});
export type AgentConfig = z.infer<typeof Config>;
type Context = StepContext<AgentConfig>;

export default defineStepWith<AgentConfig>(({ tools }) => ({
  type: "agent",
  title: "Agent",
  description: "Lets a model call tools until it has an answer. Every call is recorded before the next.",
  group: "AI",
  config: Config,
  literal: ["/tools", "/approve/tools", "/responseSchema"],
  check({ tools: names, approve, responseSchema }): Issue[] {
    const problems = (listed: readonly string[], pointer: string) =>
      listed.flatMap((name, index) => {
        const problem = name === "*" && pointer.includes("approve") ? undefined : tools.problemWith(name);
        return problem ? [{ code: "INVALID_CONFIG", pointer: `${pointer}/${index}`, ...problem }] : [];
      });
    const unknown = [...problems(names, "/config/tools"), ...problems(approve?.tools ?? [], "/config/approve/tools")];
    const schema = inputSchemaIssues(responseSchema).map((issue) => ({
      ...issue,
      pointer: issue.pointer.replace(/^\/input/, "/config/responseSchema"),
    }));
    return [...unknown, ...schema];
  },

  run: async (context) => await goOn(context, await createToolbox(tools, context.config.tools, context.policy), new Map()),
  async resume(context, answer, state) {
    const { number } = Asked.parse(state);
    const { onTimeout } = context.config.approve ?? {};
    if (number !== NOBODY_ASKED && answer.by === "due" && onTimeout === "route") return { kind: "done", outcome: "timeout", output: null };
    return await goOn(context, await createToolbox(tools, context.config.tools, context.policy), new Map([[number, answer]]));
  },
}));

/** What a wait keeps: the number of the call a person is asked about. */
const Asked = z.object({ number: z.number() });
/** Calls are numbered from 1; the version before takes this for a call it never makes. */
const NOBODY_ASKED = 0;

/** On from where the thread stands: until there is an answer, or something a person must allow. */
async function goOn(context: Context, toolbox: Toolbox, answers: ReadonlyMap<number, WaitAnswer>): Promise<StepResult> {
  const { memory, prompt } = context.config;
  const ended = await runAgent<Question>(
    context,
    {
      ask: (told, before) => ask(context, toolbox, told, z.array(RememberedMessage).parse(before)),
      problemWith: ({ said }) => readAnswer(context.config, said).problem,
      questionOf(call) {
        const tool = toolbox.get(call.call.name);
        if (!tool || answers.has(call.number) || whyNot(context, toolbox, call) !== undefined) return undefined;
        return questionOf(context.config.approve, tool, call);
      },
      call: (call) => answerCall(context, toolbox, call, answers.get(call.number)),
    },
    { history: async () => (memory ? await context.recall(memory) : []) },
  );
  if (!ended) return goOnElsewhere(context, { number: NOBODY_ASKED });
  const { turns, question } = ended;
  if (!question) {
    const remember = memory && rememberExchange(memory, prompt, saidOf(turns).at(-1)?.said ?? "");
    return { kind: "done", output: outputOf(context.config, turns), remember };
  }
  const timeoutMs = durationMs(context.config.approve?.timeout ?? "");
  const dueAt = timeoutMs === undefined ? null : context.now() + timeoutMs;
  return { kind: "wait", wait: { kind: "approval", dueAt, state: { number: question.number }, open: question.open } };
}

/** One model call. At a limit the model is asked without tools, so that all it can do is answer. */
async function ask(
  { config, policy, models, signal }: Context,
  toolbox: Toolbox,
  turns: readonly Turn[],
  before: readonly RememberedMessage[],
): Promise<Said> {
  const iterations = saidOf(turns).length;
  const toolCalls = didOf(turns).length;
  const isLast = iterations + 1 >= config.maxIterations || toolCalls >= config.maxToolCalls;
  const isLimit = isLast && iterations > 0 && toolbox.forModel.length > 0;
  if (isLimit && config.onLimit === "fail") throw limitError(config, { iterations, toolCalls });
  const reply = await models.complete({
    model: config.model,
    messages: conversation(config, turns, before, isLimit),
    tools: isLast ? undefined : toolbox.forModel,
    schema: config.responseSchema && { name: "answer", schema: config.responseSchema },
    temperature: config.temperature,
    maxTokens: config.maxTokens,
    stream: config.stream,
    timeoutMs: durationMs(config.timeout),
    allowedModels: policy?.allowedModels,
    signal,
  });
  // Without tools a call is no way to answer.
  checkReply(reply, isLast ? 0 : reply.calls.length);
  const { text, calls, model, offline, tokensIn, tokensOut } = reply;
  return { said: text, calls, model, offline, tokensIn, tokensOut };
}

function conversation(
  { system, prompt }: AgentConfig,
  turns: readonly Turn[],
  before: readonly RememberedMessage[],
  isLimit: boolean,
): BaseMessageLike[] {
  return [
    ...(system === undefined ? [] : [["system", messageText(system)] satisfies BaseMessageLike]),
    ...before.map(({ role, content }): BaseMessageLike => [role, content]),
    ["user", messageText(prompt)],
    ...messagesOf(turns),
    ...(isLimit ? [["user", ANSWER_NOW] satisfies BaseMessageLike] : []),
  ];
}

function checkReply(reply: ModelReply, calls: number): void {
  // Calls are what an agent is for; whatever else is wrong with an answer is.
  const fault = replyFault(calls > 0 ? { ...reply, calls: [] } : reply);
  if (fault) throw modelError(fault.kind, fault.message, { model: reply.model });
  if (calls === 0 && reply.text.trim() === "")
    throw modelError("invalid", `${reply.model} answered with an empty text.`, { model: reply.model });
}

function readAnswer({ responseSchema }: AgentConfig, text: string): { json?: Json; problem?: string } {
  return responseSchema ? readJson({ text }, responseSchema) : {};
}

function outputOf(config: AgentConfig, turns: readonly Turn[]): JsonObject {
  const said = saidOf(turns);
  const answer = said.at(-1);
  const text = answer?.said ?? "";
  const { json } = readAnswer(config, text);
  return {
    text,
    ...(json === undefined ? {} : { json }),
    model: answer?.model ?? null,
    offline: answer?.offline ?? null,
    iterations: said.length,
    calls: didOf(turns).map(({ tool, ok }) => ({ tool, ok })),
    tokensIn: said.reduce((sum, { tokensIn }) => sum + tokensIn, 0),
    tokensOut: said.reduce((sum, { tokensOut }) => sum + tokensOut, 0),
  };
}

function limitError(
  { maxIterations, maxToolCalls }: AgentConfig,
  { iterations, toolCalls }: { iterations: number; toolCalls: number },
): SignalboxError {
  const message = `The agent used ${iterations} of ${maxIterations} model calls and ${toolCalls} of ${maxToolCalls} tool calls without an answer.`;
  return new SignalboxError("BUDGET_EXCEEDED", message, { details: { iterations, maxIterations, toolCalls, maxToolCalls } });
}
