import { createHash } from "node:crypto";
import type { StepPlace } from "../compiler/host.ts";
import type { Execution, InboxMessage } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Wait } from "../definition/wait.ts";
import { SignalboxError } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import type { ChildRequest, Children } from "../steps/step.ts";
import { patientRead, type Patience } from "./patient-read.ts";
import type { Prepare } from "./start.ts";

/** Executions below one another; a workflow that starts itself for ever ends here. */
const MAX_DEPTH = 16;
/** A child's output up to this size comes with the message about its end, bytes: until the step goes on it is in every commit. */
const INLINE_BYTES = 16 * 1_024;

interface ChildrenOptions {
  parent: Execution;
  place: StepPlace;
  /** W3C `traceparent` of the visit. */
  traceparent: string | undefined;
  store: Store;
  prepare: Prepare;
  patience: Patience;
}

/** What a step can do about child executions. */
export function createChildren({ parent, place, traceparent, store, prepare, patience }: ChildrenOptions): Children {
  return {
    async prepare({ workflowId, version, input, tags, isAwaited }: ChildRequest) {
      const depth = (parent.parent?.depth ?? 0) + 1;
      if (depth > MAX_DEPTH) {
        const message = `Executions may be ${MAX_DEPTH} deep below one another.`;
        throw new SignalboxError("CHILD_DEPTH_EXCEEDED", message, { details: { maxDepth: MAX_DEPTH, workflowId } });
      }
      const id = childId(parent.id, place);
      const trigger = { type: "workflow", id: place.stepId, summary: `Started by step "${place.stepId}" of ${parent.id}`, event: null };
      const request = { id, workflowId, version, input, tags, trigger, priority: parent.priority, traceparent };
      const link = { executionId: parent.id, stepId: place.stepId, waitId: isAwaited ? id : null, depth };
      return await patientRead(() => prepare({ id: parent.startedBy, tenant: parent.tenant }, request, link), patience);
    },
    async outputOf(executionId) {
      const child = await patientRead(() => store.executions.get(parent.tenant, executionId), patience);
      if (child) return child.execution.output;
      throw new SignalboxError("CHILD_FAILED", `The output of ${executionId} is gone: its retention ended first.`, {
        details: { executionId },
      });
    },
  };
}

/** The id of the child that an attempt of a visit starts: a crash never makes two of it, a further attempt is another child. */
function childId(parentId: string, { path, visit, attempt }: StepPlace): string {
  const digest = createHash("sha256").update(`${parentId}/${path}/${visit}/${attempt}`).digest("hex");
  return [8, 4, 4, 4, 12].map((length, n, lengths) => digest.slice(sum(lengths.slice(0, n)), sum(lengths.slice(0, n)) + length)).join("-");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The answer to the parent's wait, for the commit in which the child ends. */
export function childEnd({ id, tenant, parent, status, output, error, epoch, endedAt }: Execution): InboxMessage | undefined {
  if (parent?.waitId == null) return undefined;
  const isLarge = Buffer.byteLength(JSON.stringify(output)) > INLINE_BYTES;
  const data: JsonObject = { executionId: id, status, error: error && { ...error }, ...(isLarge ? { isLarge } : { output }) };
  return {
    // A child that failed and was retried ends once more.
    id: `child-${id}-${epoch}`,
    tenant,
    executionId: parent.executionId,
    at: endedAt ?? "",
    principal: `execution:${id}`,
    body: { type: "answer", waitId: parent.waitId, answer: "given", data },
  };
}

/** Cancels the children of waits that ended without them, where their policy is to end with their parent. */
export function cancelChildren(
  { id, tenant }: Pick<Execution, "id" | "tenant">,
  waits: readonly Wait[],
  { at, reason }: { at: string; reason: string },
): InboxMessage[] {
  const left = waits.filter((wait) => wait.kind === "child" && wait.answer?.by !== "given" && policyOf(wait.state) === "cancel");
  return left.map((wait) => ({
    id: `parent-${id}`,
    tenant,
    executionId: wait.id,
    at,
    principal: `execution:${id}`,
    body: { type: "cancel", reason },
  }));
}

/** What the step said when it parked. */
function policyOf(state: Json): Json | undefined {
  const step = objectOf(state)?.["step"] ?? null;
  return objectOf(step)?.["onParentCancel"];
}

function objectOf(value: Json): JsonObject | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : undefined;
}
