/** A word in an event's data; events are ours, so "unknown" is only seen from versions that did not write it yet. */
export function wordOf(value: unknown): string {
  return typeof value === "string" ? value : "unknown";
}

/** An amount in an event's data, never negative. */
export function amountOf(value: unknown): number {
  return typeof value === "number" && value > 0 ? value : 0;
}
