import { canonicalDefinition, WorkflowInput } from "../../src/definition/workflow.ts";
import { checkDefinition } from "../../src/definition/check/check.ts";
import type { Issue } from "../../src/errors.ts";
import { loadStepTypes } from "../../src/registry.ts";
import { loadTriggerTypes } from "../../src/triggers/trigger-types.ts";

/** What keeps a workflow, as written, from being saved. */
export async function problemsOf(written: unknown): Promise<Issue[]> {
  return checkDefinition(canonicalDefinition(WorkflowInput.parse(written)), await loadStepTypes(), await loadTriggerTypes());
}
