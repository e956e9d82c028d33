import type { Scope } from "../definition/expression.ts";
import type { NextStep, Outcome } from "../definition/step.ts";
import { SignalboxError } from "../errors.ts";
import type { PlannedRoute, StepPlan } from "./plan.ts";

export interface OpenRoutes {
  open: NextStep[];
  closed: { next: NextStep; reason: string }[];
}

/** Every way out for `outcome`, split by whether its condition holds now. */
export function openRoutes(plan: StepPlan, scope: Scope, outcome: Outcome): OpenRoutes {
  const split: OpenRoutes = { open: [], closed: [] };
  for (const route of routesFor(plan, outcome)) {
    if (isOpen(route, scope)) split.open.push(route.next);
    else split.closed.push({ next: route.next, reason: `condition is false: ${route.when?.source ?? ""}` });
  }
  return split;
}

/** The first way out that applies; null where the path ends here on purpose; undefined where nothing applies. */
export function firstRoute(plan: StepPlan, scope: Scope, outcome: Outcome): NextStep | null | undefined {
  const routes = routesFor(plan, outcome);
  const taken = routes.find((route) => isOpen(route, scope));
  if (taken) return taken.next;
  return plan.routes.length === 0 && (outcome === "success" || outcome === "skipped") ? null : undefined;
}

/** A skipped step leaves like a successful one, and a timeout like an error, unless the definition says otherwise. */
function routesFor(plan: StepPlan, outcome: Outcome): PlannedRoute[] {
  const exact = plan.routes.filter(({ next }) => (next.on ?? "success") === outcome);
  if (exact.length > 0) return exact;
  if (outcome === "skipped") return plan.routes.filter(({ next }) => (next.on ?? "success") === "success");
  if (outcome === "timeout") return plan.routes.filter(({ next }) => next.on === "error");
  return exact;
}

function isOpen(route: PlannedRoute, scope: Scope): boolean {
  if (!route.when) return true;
  const value = route.when.evaluate(scope);
  if (typeof value === "boolean") return value;
  throw new SignalboxError("EXPRESSION_FAILED", `"${route.when.source}" gives ${describe(value)}, not a boolean.`, {
    details: { expression: route.when.source },
  });
}

function describe(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
