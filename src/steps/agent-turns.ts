import { AIMessage, HumanMessage, ToolMessage, type BaseMessage } from "@langchain/core/messages";
import { z } from "zod";
import { JsonRecord } from "../definition/json.ts";

const Call = z.object({ id: z.string(), name: z.string(), args: JsonRecord.nullable() });

/**
 * What an agent's state is a list of: what the model said, what each call it asked for gave (`did` is the call's number among all
 * calls, from 1), and what the model was told beside that.
 */
export const Turn = z.union([
  z.object({
    said: z.string(),
    calls: z.array(Call),
    model: z.string(),
    offline: z.boolean(),
    tokensIn: z.number(),
    tokensOut: z.number(),
  }),
  z.object({ did: z.number(), callId: z.string(), tool: z.string(), text: z.string(), ok: z.boolean() }),
  z.object({ told: z.string() }),
]);
export type Turn = z.infer<typeof Turn>;
export type Said = Extract<Turn, { said: string }>;
export type Did = Extract<Turn, { did: number }>;

export const saidOf = (turns: readonly Turn[]): Said[] => turns.filter((turn) => "said" in turn);
/** Calls of one superstep end in any order; their numbers tell the one they were asked for in. */
export const didOf = (turns: readonly Turn[]): Did[] =>
  turns.filter((turn) => "did" in turn).toSorted((left, right) => left.did - right.did);

/** The turns as the conversation a model reads. */
export function messagesOf(turns: readonly Turn[]): BaseMessage[] {
  const results = didOf(turns);
  return turns.flatMap((turn): BaseMessage[] => {
    if ("told" in turn) return [new HumanMessage(turn.told)];
    // Results follow what asked for them.
    if ("did" in turn) return [];
    const calls = turn.calls.map(({ id, name, args }) => ({ id, name, args: args ?? {}, type: "tool_call" as const }));
    const answers = results.splice(0, turn.calls.length);
    return [
      new AIMessage({ content: turn.said, tool_calls: calls }),
      ...answers.map(({ text, callId, ok }) => new ToolMessage({ content: text, tool_call_id: callId, status: ok ? "success" : "error" })),
    ];
  });
}
