import { durationMs } from "../definition/duration.ts";
import type { JsonObject } from "../definition/json.ts";
import type { WaitAnswer } from "../definition/wait.ts";
import { toSignalboxError } from "../errors.ts";
import type { ToolReply } from "../tools/tool.ts";
import { actionContext } from "./action-context.ts";
import { decided, type Approve } from "./agent-approval.ts";
import type { NumberedCall } from "./agent-graph.ts";
import type { Did } from "./agent-turns.ts";
import type { StepContext } from "./step.ts";
import type { Toolbox } from "./toolbox.ts";

/** A result longer than this is cut: the model reads it again in every later call. */
const MAX_RESULT = 20_000;
const MAX_SHOWN = 500;

/** What a call is bound by. */
export interface CallRules {
  maxToolCalls: number;
  toolTimeout: string;
  approve?: Approve | undefined;
}
type Context = StepContext<CallRules>;

/**
 * One tool call, with what a person said about it where one was asked. A tool that fails is told to the model, which may do better;
 * the end of this attempt is not.
 */
export async function answerCall(context: Context, toolbox: Toolbox, { call, number }: NumberedCall, answer?: WaitAnswer): Promise<Did> {
  const name = toolbox.get(call.name)?.name ?? call.name;
  const startedAt = context.now();
  const { args, refused, remark } = decided(call.args, answer);
  const reply = refused === undefined ? await attempt(context, toolbox, { ...call, args }, number) : { ok: false, text: refused };
  const text = `${cut(reply.text)}${remark}`;
  const data = {
    tool: name,
    number,
    ok: reply.ok,
    latencyMs: context.now() - startedAt,
    args: shownArgs(args),
    text: text.slice(0, MAX_SHOWN),
  };
  context.event({ type: "tool.called", summary: `${name} ${reply.ok ? "answered" : "failed"}: ${text.slice(0, 120)}`, data });
  return { did: number, callId: call.id, tool: name, text, ok: reply.ok };
}

/** Why a call is not made, whoever allows it; undefined where it may be. */
export function whyNot({ config }: Pick<Context, "config">, toolbox: Toolbox, { call, number }: NumberedCall): string | undefined {
  if (!toolbox.get(call.name)) return `There is no tool "${call.name}".`;
  if (call.args === null) return "The arguments are no JSON object.";
  if (number > config.maxToolCalls) return `Not called: ${config.maxToolCalls} calls are allowed.`;
  return undefined;
}

async function attempt(
  context: Context,
  toolbox: Toolbox,
  call: NumberedCall["call"],
  number: number,
): Promise<{ text: string; ok: boolean }> {
  const { config, signal, idempotencyKey } = context;
  const tool = toolbox.get(call.name);
  const problem = whyNot(context, toolbox, { call, number });
  if (problem !== undefined || !tool || call.args === null) return { ok: false, text: problem ?? "" };
  try {
    const bounds = { ...actionContext(context, `${idempotencyKey}/${number}`), timeoutMs: durationMs(config.toolTimeout) ?? 60_000 };
    return { ok: true, text: readable(await tool.call(call.args, bounds)) };
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

function cut(text: string): string {
  return text.length > MAX_RESULT ? `${text.slice(0, MAX_RESULT)} (cut at ${MAX_RESULT} characters)` : text;
}

/** Arguments as history shows them: large ones are left out. */
function shownArgs(args: JsonObject | null): JsonObject | null {
  return args !== null && JSON.stringify(args).length <= MAX_SHOWN ? args : null;
}
