import { AIMessage, HumanMessage, ToolMessage, type BaseMessage } from "@langchain/core/messages";
import { z } from "zod";
import { JsonRecord } from "../definition/json.ts";

const Call = z.object({ id: z.string(), name: z.string(), args: JsonRecord.nullable() });

/** What an agent notes, in order: what the model said, what each of its calls gave, what it was told beside that. */
export const Note = z.union([
  z.object({
    said: z.string(),
    calls: z.array(Call),
    model: z.string(),
    offline: z.boolean(),
    tokensIn: z.number(),
    tokensOut: z.number(),
  }),
  z.object({ did: z.string(), tool: z.string(), text: z.string(), ok: z.boolean() }),
  z.object({ told: z.string() }),
]);
export type Note = z.infer<typeof Note>;
export type Said = Extract<Note, { said: string }>;
export type AgentCall = z.infer<typeof Call>;

/** What comes next: a call that was asked for and has no result yet, or what the model said last without asking for one. */
export interface Turn {
  /** The call that is due and its number among all calls, from 1. */
  call: { asked: AgentCall; number: number } | undefined;
  answer: Said | undefined;
  /** Model calls and tool calls so far. */
  iterations: number;
  toolCalls: number;
}

export function turnOf(notes: readonly Note[]): Turn {
  const lastSaid = notes.findLastIndex((note) => "said" in note);
  const last = notes[lastSaid];
  const said = last && "said" in last ? last : undefined;
  const after = notes.slice(lastSaid + 1);
  const done = after.filter((note) => "did" in note).length;
  const asked = said?.calls[done];
  const toolCalls = notes.filter((note) => "did" in note).length;
  const isAnswer = said !== undefined && said.calls.length === 0 && after.length === 0;
  return {
    call: asked && { asked, number: toolCalls + 1 },
    answer: isAnswer ? said : undefined,
    iterations: notes.filter((note) => "said" in note).length,
    toolCalls,
  };
}

/** The notes as the conversation a model reads. */
export function messagesOf(notes: readonly Note[]): BaseMessage[] {
  return notes.map((note): BaseMessage => {
    if ("said" in note) {
      const calls = note.calls.map(({ id, name, args }) => ({ id, name, args: args ?? {}, type: "tool_call" as const }));
      return new AIMessage({ content: note.said, tool_calls: calls });
    }
    if ("did" in note) return new ToolMessage({ content: note.text, tool_call_id: note.did });
    return new HumanMessage(note.told);
  });
}
