import { z } from "zod";
import { Duration, durationMs } from "../definition/duration.ts";
import { ExecutionStatus, type ExecutionError } from "../definition/execution.ts";
import { JsonRecord, type Json, type JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep, type StepContext } from "./step.ts";

const Config = z.strictObject({
  workflowId: z.string().min(1).max(255).describe("Which workflow runs; may be an expression"),
  version: z
    .union([z.number().int().min(1), z.string()])
    .optional()
    .describe("The newest unless told"),
  input: z.union([JsonRecord, z.string()]).optional().describe("Its input; the step's `input` unless told"),
  tags: z.array(z.string().min(1).max(64)).max(50).default([]),
  wait: z.boolean().default(true).describe("false: the step goes on at once, and nobody waits for the child"),
  onParentCancel: z
    .enum(["cancel", "abandon"])
    .optional()
    .describe("What becomes of a child when its step ends without it: cancelled, or left to itself"),
  timeout: Duration.optional().describe("How long it may take; for ever unless told. Then the step leaves by `on: timeout`"),
});
type WorkflowConfig = z.infer<typeof Config>;

/** What the child's end says, see executor/children.ts. */
interface ChildEnd {
  executionId: string;
  status: ExecutionStatus;
  output?: Json;
  isLarge?: true;
  error: ExecutionError | null;
}

export default defineStep({
  type: "workflow",
  title: "Workflow",
  description: "Runs another workflow as an execution of its own and goes on with its result.",
  aliases: ["subworkflow"],
  group: "Flow",
  config: Config,
  // What becomes of the child must be told before anything is evaluated.
  literal: ["/wait", "/onParentCancel"],
  check: ({ wait, onParentCancel, timeout }) =>
    (["onParentCancel", "timeout"] as const)
      .filter((field) => !wait && { onParentCancel, timeout }[field] !== undefined)
      .map((field) => ({
        code: "INVALID_CONFIG",
        pointer: `/config/${field}`,
        message: `A child that nobody waits for has no \`${field}\`.`,
        hint: "Take it out, or set `wait` to true.",
      })),
  async run(context) {
    const { workflowId, version, tags, wait: isAwaited, onParentCancel = "cancel", timeout } = context.config;
    const child = await context.children.prepare({ workflowId, version: versionOf(version), input: inputOf(context), tags, isAwaited });
    const { id: executionId } = child.execution;
    if (!isAwaited) return { kind: "done", output: { executionId }, starts: [child] };
    const dueAt = timeout === undefined ? null : context.now() + (durationMs(timeout) ?? 0);
    return { kind: "wait", wait: { kind: "child", id: executionId, dueAt, state: { executionId, onParentCancel }, starts: [child] } };
  },
  async resume({ children }, answer, state) {
    // Both are written by ourselves: `run` above, and the child's end.
    const { executionId } = state as { executionId: string };
    if (answer.by === "due") return { kind: "done", outcome: "timeout", output: { executionId, status: null, output: null } };
    const { status, output = null, isLarge, error } = answer.data as unknown as ChildEnd;
    if (status === ExecutionStatus.enum.COMPLETED) {
      return { kind: "done", output: { executionId, status, output: isLarge ? await children.outputOf(executionId) : output } };
    }
    const details = { executionId, status, ...(error && { code: error.code, message: error.message, stepId: error.stepId }) };
    if (status === ExecutionStatus.enum.CANCELLED) {
      throw new SignalboxError("CHILD_CANCELLED", `The child execution ${executionId} was cancelled.`, { details });
    }
    throw new SignalboxError("CHILD_FAILED", `The child execution ${executionId} failed: ${error?.message ?? ""}`, { details });
  },
});

function versionOf(version: number | string | undefined): number | undefined {
  const number = version === undefined ? undefined : Number(version);
  if (number === undefined || (Number.isInteger(number) && number > 0)) return number;
  throw new SignalboxError("INVALID_INPUT", "`version` is no whole number from 1 on.");
}

function inputOf({ config, step, input: ofStep }: StepContext<WorkflowConfig>): JsonObject {
  const input = config.input ?? (step.input === undefined ? {} : ofStep);
  if (input !== null && typeof input === "object" && !Array.isArray(input)) return input;
  throw new SignalboxError("INVALID_INPUT", "`input` is no object.");
}
