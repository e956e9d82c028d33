/** What a label says for every value past its bound. */
export const OTHER = "other";

/**
 * A label whose values come from users: the first `limit` values keep their name, later ones share one, so that nobody can make
 * a process keep a time series for each of a million workflows.
 */
export function boundedLabel(limit: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= limit) return OTHER;
    known.add(value);
    return value;
  };
}
