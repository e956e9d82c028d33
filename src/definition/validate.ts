import type { Issue } from "../errors.ts";
import { checkDefinition } from "./check/check.ts";
import type { StepCatalog } from "./check/step-catalog.ts";
import type { TriggerCatalog } from "./check/trigger-catalog.ts";
import { issuesOfZod } from "./check/zod-issues.ts";
import { jsonBoundIssues } from "./json-bounds.ts";
import { canonicalDefinition, WorkflowInput, type WorkflowDefinition, type WorkflowStatus } from "./workflow.ts";

/** Largest canonical definition: half of what Firestore keeps in one document, so that its record always fits beside it. */
export const MAX_DEFINITION_BYTES = 512 * 1_024;
/** Problems reported at most; a body full of nonsense has as many as it has fields. */
const MAX_ISSUES = 500;

/** What a client wrote, read: the definition in its canonical form where it has a shape at all, and every problem. */
export interface Validated {
  issues: Issue[];
  input: WorkflowInput | null;
  definition: WorkflowDefinition | null;
}

/** Reads anything as a workflow. Never throws; without issues, `input` and `definition` are there and can be saved. */
export function validateWorkflow(raw: unknown, stepTypes: StepCatalog, triggerTypes?: TriggerCatalog): Validated {
  const bounds = jsonBoundIssues(raw);
  if (bounds.length > 0) return { issues: bounds, input: null, definition: null };
  const parsed = WorkflowInput.safeParse(raw);
  if (!parsed.success) return { issues: atMost(issuesOfZod(parsed.error, "", { schema: WorkflowInput })), input: null, definition: null };
  const text = JSON.stringify(canonicalDefinition(parsed.data));
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_DEFINITION_BYTES) {
    const message = `The definition has ${bytes} bytes; ${MAX_DEFINITION_BYTES} are allowed.`;
    return {
      issues: [{ code: "TOO_LARGE", pointer: "", message, hint: "Move a part of it into a workflow of its own." }],
      input: null,
      definition: null,
    };
  }
  // Through JSON, as it will come back from the store: fields set to undefined are gone, so that equal definitions are equal.
  const definition = JSON.parse(text) as WorkflowDefinition;
  const issues = [...contradictions(parsed.data), ...checkDefinition(definition, stepTypes, triggerTypes)];
  return { issues: atMost(issues), input: parsed.data, definition };
}

/** The status a client asked for; undefined where it said nothing, or nothing that changes `present`. */
export function statusOf({ status, isActive }: WorkflowInput, present?: WorkflowStatus): WorkflowStatus | undefined {
  if (status !== undefined || isActive === undefined) return status;
  if (isActive) return "active";
  return present === "archived" ? undefined : "draft";
}

/** Fields that say the same thing in two ways must agree. */
function contradictions({ status, isActive, trigger, triggers }: WorkflowInput): Issue[] {
  const issues: Issue[] = [];
  if (status !== undefined && isActive !== undefined && isActive !== (status === "active")) {
    issues.push({
      code: "CONTRADICTION",
      pointer: "/isActive",
      message: `isActive is ${isActive}, but the status is "${status}".`,
      hint: "Leave one of them out.",
    });
  }
  if (trigger !== undefined && triggers !== undefined) {
    issues.push({
      code: "CONTRADICTION",
      pointer: "/trigger",
      message: "There is both a trigger and a list of triggers.",
      hint: "Put it into the list.",
    });
  }
  return issues;
}

function atMost(issues: Issue[]): Issue[] {
  if (issues.length <= MAX_ISSUES) return issues;
  const rest = issues.length - MAX_ISSUES;
  return [...issues.slice(0, MAX_ISSUES), { code: "MORE_ISSUES", pointer: "", message: `And ${rest} more problems.` }];
}
