import { z } from "zod";
import { JsonRecord, JsonValue, type Json, type JsonObject } from "./json.ts";
import { Vote } from "./voting.ts";

export const WaitKind = z.enum(["timer", "approval", "event", "child", "task", "effect", "failure", "callback"]).meta({ id: "WaitKind" });
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
  /** True once events that came before it have been looked at; only waits for events of the tenant have it. */
  isLookedBack?: boolean | undefined;
  /** True when somebody outside may answer it: there is an `OpenWait` with its id. */
  isListed: boolean;
  /** When people are reminded of it, epoch milliseconds; `at` is null once that is over. Absent where nobody asked for it. */
  remind?: { at: number | null; everyMs: number | null; count: number } | undefined;
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
  /** Where an event finds it without naming the execution (`topicOf`); only waits that ask for that have one. */
  topic?: string | undefined;
  createdAt: string;
  expiresAt: string | null;
  answer: WaitAnswer | null;
  /** What people said so far; the vote that decides is the answer as well. */
  votes?: Vote[] | undefined;
  /** How often people were reminded, and when they were last. */
  reminders?: Reminders | undefined;
  /** Who works on a task. */
  lease?: TaskLease | undefined;
}

/** A worker's hold on a task. Changed by compare-and-set on `revision`, never part of the execution's record. */
export interface TaskLease {
  /** Grows with every change. */
  revision: number;
  /** Names the change, so that one whose answer got lost is known again. */
  change: string;
  /** Fencing number: grows each time a worker takes the task. How often it was taken is the number of attempts. */
  token: number;
  /** Null: given back. */
  worker: string | null;
  /** Epoch milliseconds until which nobody else is given the task. */
  until: number;
}

export interface Reminders {
  count: number;
  at: string;
}

export const ApprovalStatus = z.enum(["PENDING", "APPROVED", "REJECTED", "EXPIRED", "CANCELLED"]).meta({ id: "ApprovalStatus" });

export const ApprovalKind = z.enum(["approval", "decision", "effect"]).meta({ id: "ApprovalKind" });

/** An approval as clients see it. */
export const Approval = z
  .object({
    id: z.string(),
    executionId: z.string(),
    workflowId: z.string(),
    stepId: z.string(),
    visit: z.number().int(),
    kind: ApprovalKind.describe(
      "What is asked: a plain approval, a choice a decision step left to a person, or whether an effect happened",
    ),
    status: ApprovalStatus,
    title: z.string(),
    description: z.string().nullable(),
    assignees: z.array(z.string()).describe("Who may decide: principals, group:<name>, role:<name>; everybody with the scope when empty"),
    excluded: z.array(z.string()).describe("Who may not, although assigned"),
    quorum: z.number().int().describe("Approvals it takes"),
    rejectAt: z.number().int().describe("Rejections that reject it"),
    votes: z.array(Vote).describe("Who said what and when, oldest first"),
    approvals: z.number().int().describe("Votes for what is proposed now"),
    rejections: z.number().int(),
    proposal: z.number().int().describe("Number of what is proposed: 0 as asked, n after the n-th edit"),
    proposed: JsonValue.describe("The value as it was proposed first"),
    value: JsonValue.describe("The value as it is proposed now, edits included"),
    editable: JsonRecord.nullable().describe("JSON Schema of an edited value; null where it cannot be edited"),
    level: z.number().int().describe("1, and one more with every escalation"),
    levels: z.number().int(),
    reminders: z.number().int().describe("How often people were reminded"),
    remindedAt: z.string().nullable(),
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
