import type { RetryEdit } from "../definition/dead-letter.ts";
import type { Execution } from "../definition/execution.ts";
import type { JsonObject } from "../definition/json.ts";
import type { Wait } from "../definition/wait.ts";
import { notFound, SignalboxError } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import { hidden } from "./secrets.ts";
import { variableIssues } from "./start.ts";

/** Declared variables of their types, by the version the execution runs. `shown` is what others may see of them. */
export async function checkedEdit(
  store: Store,
  { tenant, workflowId, workflowVersion }: Execution,
  edit: RetryEdit,
): Promise<{ edit: RetryEdit; shown: JsonObject }> {
  const { variables = {} } = edit;
  const definition = await store.workflows.getVersion(tenant, workflowId, workflowVersion);
  if (!definition) throw notFound("workflow version", `${workflowId}@${workflowVersion}`);
  const issues = variableIssues(variables, definition).map((issue) => ({ ...issue, pointer: `/edit${issue.pointer}` }));
  if (issues.length > 0) throw new SignalboxError("INVALID_INPUT", issues[0]?.message, { issues });
  return { edit, shown: hidden(variables, definition.variables) };
}

/** An edit is for a step that failed, and says for which where that is not clear. */
export function checkStep(failures: readonly Wait[], { stepId, config, input }: RetryEdit): void {
  if (stepId !== undefined && !failures.some((wait) => wait.stepId === stepId)) {
    throw invalid("/edit/stepId", `Step "${stepId}" did not fail.`);
  }
  if (stepId === undefined && failures.length > 1 && (config !== undefined || input !== undefined)) {
    throw invalid("/edit/stepId", `is required: ${failures.map((wait) => wait.stepId).join(", ")} failed`);
  }
}

function invalid(pointer: string, message: string): SignalboxError {
  return new SignalboxError("INVALID_INPUT", message, { issues: [{ code: "INVALID_INPUT", pointer, message }] });
}
