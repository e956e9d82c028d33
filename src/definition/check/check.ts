import type { Issue } from "../../errors.ts";
import { pointerKeys } from "../pointer.ts";
import { inputSchemaIssues } from "../input-schema.ts";
import type { WorkflowDefinition } from "../workflow.ts";
import { checkBreakers } from "./breakers.ts";
import { checkDecisions } from "./decisions.ts";
import { checkExpressions } from "./expressions.ts";
import { checkGraph } from "./graph.ts";
import { checkIds } from "./ids.ts";
import { outlineDefinition, type Outline } from "./outline.ts";
import { checkRegions } from "./regions.ts";
import { checkRoutes } from "./routes.ts";
import type { StepCatalog } from "./step-catalog.ts";
import type { TriggerCatalog } from "./trigger-catalog.ts";
import { checkTriggers } from "./triggers.ts";
import { checkVariables } from "./variables.ts";

const RULES: readonly ((outline: Outline) => Issue[])[] = [
  ({ issues }) => issues,
  checkIds,
  checkVariables,
  checkRoutes,
  checkDecisions,
  checkBreakers,
  checkRegions,
  checkGraph,
  checkExpressions,
  ({ definition }) => inputSchemaIssues(definition.input),
];

/** Every problem of a definition at once, in the order of the document; pointers go into the canonical form. None: it can be saved. Trigger types are looked at where they are given. */
export function checkDefinition(definition: WorkflowDefinition, stepTypes: StepCatalog, triggerTypes?: TriggerCatalog): Issue[] {
  const outline = outlineDefinition(definition, stepTypes);
  const ofTriggers = triggerTypes ? checkTriggers(definition.triggers, triggerTypes) : [];
  return [...RULES.flatMap((rule) => rule(outline)), ...ofTriggers].toSorted((left, right) => comparePointers(left.pointer, right.pointer));
}

function comparePointers(left: string, right: string): number {
  const [leftKeys, rightKeys] = [pointerKeys(left), pointerKeys(right)];
  for (let index = 0; index < Math.min(leftKeys.length, rightKeys.length); index++) {
    const order = (leftKeys[index] ?? "").localeCompare(rightKeys[index] ?? "", "en", { numeric: true });
    if (order !== 0) return order;
  }
  return leftKeys.length - rightKeys.length;
}
