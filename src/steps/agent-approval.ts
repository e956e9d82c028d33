import { z } from "zod";
import { Duration } from "../definition/duration.ts";
import { JsonRecord, type JsonObject } from "../definition/json.ts";
import type { WaitAnswer } from "../definition/wait.ts";
import type { NumberedCall } from "./agent-graph.ts";
import type { WaitRequest } from "./step.ts";
import { namesTool } from "./tool-policy.ts";
import type { Tool } from "../tools/tool.ts";

/** Which calls a person must allow first, and who. */
export const Approve = z
  .strictObject({
    tools: z.array(z.string().min(1).max(255)).min(1).max(50).describe("Tools a person must allow each call of; `*` is all of them"),
    assignees: z.array(z.string().min(1).max(255)).max(100).default([]).describe("Who is asked; everybody with the scope when empty"),
    timeout: Duration.optional().describe("How long a person may take for one call"),
    onTimeout: z.enum(["reject", "route"]).default("reject").describe("reject: the model is told; route: leave by `on: timeout`"),
  })
  .describe("Calls that a person must allow, may change, or refuse");
export type Approve = z.infer<typeof Approve>;

/** A call that waits for a person. */
export interface Question {
  number: number;
  open: NonNullable<WaitRequest["open"]>;
}

/** What a person is asked about a call that could be made; undefined where nobody is. */
export function questionOf(approve: Approve | undefined, tool: Tool, { call, number }: NumberedCall): Question | undefined {
  if (!approve || !(approve.tools.includes("*") || namesTool(approve.tools, tool.name))) return undefined;
  const request: JsonObject = {
    description: tool.description.slice(0, 4_000),
    assignees: approve.assignees,
    evidence: { tool: tool.name, args: call.args, schema: tool.schema },
    form: null,
    choices: ["approve", "edit", "reject"],
  };
  return { number, open: { title: `Call ${tool.name}?`, request } };
}

/** What becomes of a call after a person, or nobody in time, said something about it: its arguments, or why it is refused. */
export function decided(args: JsonObject | null, answer?: WaitAnswer): { args: JsonObject | null; refused?: string; remark: string } {
  if (!answer) return { args, remark: "" };
  if (answer.by === "due") return { args, refused: "Not called: nobody allowed it in time.", remark: "" };
  const { decision, values, reason } = answer.data;
  const why = typeof reason === "string" && reason !== "" ? `: ${reason}` : ".";
  if (decision === "approve") return { args, remark: "" };
  if (decision !== "edit") return { args, refused: `Not called: a person refused it${why}`, remark: "" };
  const edited = JsonRecord.safeParse(values);
  if (!edited.success) return { args, refused: "Not called: a person wanted other arguments and gave none.", remark: "" };
  return { args: edited.data, remark: `\n(A person changed the arguments to ${JSON.stringify(edited.data)}${why === "." ? "." : why})` };
}
