import type { ActionContext } from "../actions/action.ts";
import type { StepContext } from "./step.ts";

/** What an action sees of the step that calls it. A step that makes several calls gives each a key of its own. */
export function actionContext(context: StepContext, idempotencyKey: string = context.idempotencyKey): Omit<ActionContext, "input"> {
  const { executionId, workflowId, tenant, step, attempt, signal, now, fetch, traceparent, log } = context;
  return { executionId, workflowId, tenant, stepId: step.id, idempotencyKey, attempt, signal, now, fetch, traceparent, log };
}
