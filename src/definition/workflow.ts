import { z } from "zod";
import { Duration } from "./duration.ts";
import { JsonRecord, JsonValue } from "./json.ts";
import { ErrorPolicy, Step, StepInput, type NextStep, type NextStepInput } from "./step.ts";
import { Trigger } from "./trigger.ts";

export const WorkflowId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "must hold 1 to 64 letters, digits, _ or -")
  .meta({ id: "WorkflowId" });

export const WorkflowStatus = z.enum(["draft", "active", "archived"]).meta({ id: "WorkflowState" });
export type WorkflowStatus = z.infer<typeof WorkflowStatus>;

export const Variable = z
  .strictObject({
    type: z.enum(["string", "number", "boolean", "object", "array", "any"]).default("any"),
    default: JsonValue.optional(),
    description: z.string().max(1_000).optional(),
    reducer: z
      .enum(["replace", "append", "merge", "sum", "min", "max", "first"])
      .default("replace")
      .describe("How a new value joins the present one; parallel branches that write one variable need something else than replace"),
    secret: z.boolean().default(false).describe("Never shown in events, views and logs"),
  })
  .meta({ id: "Variable" });
export type Variable = z.infer<typeof Variable>;

/** Bounds of every AI-made choice and call; a step's own policy may only narrow this one. */
export const Policy = z
  .strictObject({
    allowedNextSteps: z.array(z.string()).max(100).optional(),
    allowedEvents: z.array(z.string()).max(100).optional().describe("Events the model may name"),
    allowDirectEmit: z.boolean().default(false).describe("false: a named event is stored as a proposal only"),
    allowedModels: z.array(z.string()).max(50).optional(),
    allowedTools: z.array(z.string()).max(100).optional(),
    minConfidence: z.number().min(0).max(1).optional(),
    onLowConfidence: z.enum(["fallback", "human", "fail"]).optional(),
    onViolation: z.enum(["fallback", "human", "fail"]).optional(),
  })
  .meta({ id: "Policy" });
export type Policy = z.infer<typeof Policy>;

/** How many executions of a workflow may be under way at once. */
export const Concurrency = z
  .strictObject({
    max: z.number().int().min(1).max(1_000),
    onLimit: z
      .enum(["queue", "reject"])
      .default("queue")
      .describe("queue: the execution stays PENDING until a place is free; reject: its start is refused"),
    key: z.string().min(1).optional().describe("CEL over `input`, `trigger` and `event`: a limit of its own for each value"),
  })
  .meta({ id: "Concurrency" });
export type Concurrency = z.infer<typeof Concurrency>;

export const Limits = z
  .strictObject({
    maxSteps: z.number().int().min(1).max(100_000).default(1_000),
    maxDuration: Duration.optional(),
    maxTokens: z.number().int().min(1).optional().describe("Model tokens, in and out, per execution"),
    maxCostUsd: z.number().positive().optional(),
    concurrency: Concurrency.optional(),
  })
  .meta({ id: "Limits" });
export type Limits = z.infer<typeof Limits>;

export const Retention = z.strictObject({ executions: Duration.optional() }).meta({ id: "Retention" });

const definitionFields = {
  name: z.string().min(1).max(255),
  description: z.string().max(4_000).optional(),
  variables: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/), Variable).default({}),
  input: JsonRecord.optional().describe("JSON Schema of the execution's input"),
  output: z.record(z.string(), JsonValue).optional().describe("Result name -> value; strings may hold ${ cel }"),
  onError: ErrorPolicy.optional().describe("Last resort before the execution fails"),
  policy: Policy.optional(),
  limits: Limits.optional(),
  retention: Retention.optional(),
  owner: z.string().max(255).optional(),
  tags: z.array(z.string().min(1).max(64)).max(50).default([]),
};

/** The part of a workflow that is versioned: immutable once an execution may have started with it. */
export const WorkflowDefinition = z
  .strictObject({ ...definitionFields, triggers: z.array(Trigger).max(50), steps: z.array(Step).min(1).max(1_000) })
  .meta({ id: "WorkflowDefinition" });
export type WorkflowDefinition = z.infer<typeof WorkflowDefinition>;

/** A workflow as a client writes it. A lone `trigger` is read as a list of one. */
export const WorkflowInput = z
  .strictObject({
    ...definitionFields,
    id: WorkflowId.optional().describe("Generated unless told"),
    status: WorkflowStatus.optional().describe("active unless told; on an update: unchanged unless told"),
    isActive: z.boolean().optional().describe("Another way to say status: true is active, false is draft"),
    trigger: Trigger.optional(),
    triggers: z.array(Trigger).max(50).optional(),
    steps: z.array(StepInput).min(1).max(1_000),
  })
  .meta({ id: "WorkflowInput" });
export type WorkflowInput = z.infer<typeof WorkflowInput>;

export const ExecutionStats = z
  .object({
    total: z.number().int(),
    pending: z.number().int(),
    running: z.number().int(),
    paused: z.number().int(),
    completed: z.number().int(),
    failed: z.number().int(),
    cancelled: z.number().int(),
    successRate: z.number().nullable().describe("completed / (completed + failed), null while none ended"),
    averageDurationMs: z.number().nullable(),
  })
  .meta({ id: "ExecutionStats" });
export type ExecutionStats = z.infer<typeof ExecutionStats>;

/** A workflow as it is stored: the newest version with its place in life. */
export interface Workflow {
  tenant: string;
  id: string;
  version: number;
  /** Grows with every write, versions or not; the ETag. */
  revision: number;
  status: WorkflowStatus;
  definition: WorkflowDefinition;
  createdAt: string;
  updatedAt: string;
}

/** The canonical definition of what a client wrote: sugar resolved, nothing else changed. */
export function canonicalDefinition(input: WorkflowInput): WorkflowDefinition {
  const { id: _id, status: _status, isActive: _isActive, trigger, triggers, steps, ...rest } = input;
  return {
    ...rest,
    triggers: triggers ?? (trigger ? [trigger] : []),
    steps: steps.map((step) => ({ ...step, name: step.name ?? step.id, nextSteps: step.nextSteps.map(canonicalNextStep) })),
  };
}

function canonicalNextStep(next: z.infer<typeof NextStepInput>): NextStep {
  return typeof next === "string" ? { to: next } : next;
}
