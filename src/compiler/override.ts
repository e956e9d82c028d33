import type { Override } from "../definition/execution.ts";
import type { StepPlace } from "./host.ts";
import type { NodeRun } from "./node.ts";
import { pathOf, visitsOf } from "./open-visit.ts";
import type { StepPlan } from "./plan.ts";
import { mergeVariables, type Slot } from "./state.ts";
import type { Visit } from "./visit.ts";
import type { Work } from "./work.ts";

/** What somebody changed for this visit, to try it again. */
export function overrideAt({ execution }: Visit["host"], { path, visit }: Pick<StepPlace, "path" | "visit">): Override | undefined {
  const override = execution.overrides?.[path];
  return override?.visit === visit ? override : undefined;
}

/**
 * The work with the variables that were set by hand for the coming visit of a step. Set again on every run of its node, until one of
 * them ends the visit: what a node writes before it parks is not kept.
 */
export function withEdits(run: NodeRun, plan: StepPlan, work: Work): Work {
  const place = { path: pathOf(run.setup.region?.branch ?? null, plan.step.id), visit: visitsOf(work, plan.step.id) + 1 };
  const { variables } = overrideAt(run.host, place) ?? {};
  if (!variables || Object.keys(variables).length === 0) return work;
  const slots = Object.fromEntries(Object.entries(variables).map(([name, v]): [string, Slot] => [name, { v, set: true }]));
  const declared = run.setup.workflow.definition.variables;
  const joined = (vars: Record<string, Slot>) => mergeVariables(declared, vars, slots);
  return {
    ...work,
    state: { ...work.state, _vars: joined(work.state._vars) },
    update: { ...work.update, _vars: joined(work.update._vars) },
  };
}
