import { z } from "zod";
import { JsonRecord, JsonValue, type Json, type JsonObject } from "./json.ts";

export const WaitKind = z.enum(["timer", "approval", "event", "child", "task", "effect", "failure"]).meta({ id: "WaitKind" });
export type WaitKind = z.infer<typeof WaitKind>;

/**
 * What a parked execution waits for, kept inside the execution record. `interruptId` is LangGraph's id of the suspended task:
 * answers are always given by it, because an unkeyed resume answers every pending interrupt (`langgraph.md` §1.4).
 */
export interface Wait {
  id: string;
  kind: WaitKind;
  stepId: string;
  /** Region path + step id; equal to the step id outside regions. */
  path: string;
  branch: string | null;
  visit: number;
  attempt: number;
  interruptId: string;
  since: string;
  /** When the wait ends by itself, epoch milliseconds. */
  dueAt: number | null;
  /** What the step needs again when it goes on: evaluated config, attempt state. Evaluated once, at parking. */
  state: Json;
  /** True when somebody outside may answer it: there is an `OpenWait` with its id. */
  isListed: boolean;
  /** Set once somebody or the clock answered; the next invocation hands it to the step. */
  answer: WaitAnswer | null;
}

export interface WaitAnswer {
  /** `due` = the clock; `given` = a person, an event, a child; `cancelled` = withdrawn. */
  by: "due" | "given" | "cancelled";
  principal: string | null;
  at: string;
  data: JsonObject;
}

/** A wait that somebody outside the execution may answer (approvals, events, tasks), listed and answered on its own. */
export interface OpenWait {
  id: string;
  tenant: string;
  executionId: string;
  workflowId: string;
  kind: WaitKind;
  stepId: string;
  path: string;
  visit: number;
  status: "open" | "answered" | "expired" | "cancelled";
  title: string;
  /** What the one who answers needs: assignees, form schema, evidence, choices; for events the type and match expression. */
  request: JsonObject;
  createdAt: string;
  expiresAt: string | null;
  answer: WaitAnswer | null;
}

export const ApprovalStatus = z.enum(["PENDING", "APPROVED", "REJECTED", "EXPIRED", "CANCELLED"]).meta({ id: "ApprovalStatus" });

/** An approval as clients see it. */
export const Approval = z
  .object({
    id: z.string(),
    executionId: z.string(),
    workflowId: z.string(),
    stepId: z.string(),
    visit: z.number().int(),
    status: ApprovalStatus,
    title: z.string(),
    description: z.string().nullable(),
    assignees: z.array(z.string()),
    form: JsonRecord.nullable().describe("JSON Schema of the values a decision may carry"),
    evidence: JsonValue.describe("What the decision is about, as the step's `show` says"),
    choices: z.array(z.string()).describe("Words `decision` accepts"),
    createdAt: z.string(),
    expiresAt: z.string().nullable(),
    decidedAt: z.string().nullable(),
    decidedBy: z.string().nullable(),
    reason: z.string().nullable(),
    values: JsonValue,
  })
  .meta({ id: "Approval" });
export type Approval = z.infer<typeof Approval>;
