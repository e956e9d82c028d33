import type { ExecutionEventType } from "../definition/event.ts";
import type { JsonObject } from "../definition/json.ts";
import { isoTime } from "../ports/clock.ts";
import type { StepHost, StepPlace, TimedDraft } from "./host.ts";

/** An event about a step, stamped with the time it happened. */
export function stepEvent(
  at: { host: StepHost; place: StepPlace },
  type: ExecutionEventType,
  summary: string,
  data: JsonObject,
): TimedDraft {
  const { stepId, visit, branch, attempt } = at.place;
  return { at: isoTime(at.host.clock), type, stepId, visit, branch, attempt, summary, data };
}
