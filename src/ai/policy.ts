import type { Policy } from "../definition/workflow.ts";

/** The bounds an AI step works under. */
export type Bounds = {
  [Name in "allowedNextSteps" | "allowedEvents" | "allowedModels" | "minConfidence" | "onLowConfidence" | "onViolation"]?:
    | Policy[Name]
    | undefined;
};

/** The policy a step works under: the workflow's, narrowed by its own. A list that neither gives is no bound. */
export function narrowPolicy(outer: Bounds = {}, inner: Bounds = {}): Bounds {
  const minimum = [outer.minConfidence, inner.minConfidence].filter((value) => value !== undefined);
  return {
    allowedNextSteps: both(outer.allowedNextSteps, inner.allowedNextSteps),
    allowedEvents: both(outer.allowedEvents, inner.allowedEvents),
    allowedModels: both(outer.allowedModels, inner.allowedModels),
    minConfidence: minimum.length > 0 ? Math.max(...minimum) : undefined,
    onLowConfidence: inner.onLowConfidence ?? outer.onLowConfidence,
    onViolation: inner.onViolation ?? outer.onViolation,
  };
}

function both(outer: string[] | undefined, inner: string[] | undefined): string[] | undefined {
  if (!outer || !inner) return outer ?? inner;
  return inner.filter((item) => outer.includes(item));
}
