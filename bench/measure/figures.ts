/** What one run of a job gave, by the figure's name. */
export type Figures = Record<string, number>;

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** The value at a share of the sorted list, from 0 to 1. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function spreadOf(values: readonly number[]): Spread | undefined {
  const real = values.filter((value) => !Number.isNaN(value));
  if (real.length === 0) return undefined;
  return { median: percentile(real, 0.5), min: Math.min(...real), max: Math.max(...real) };
}

/** Three digits that count. */
export function short(value: number): string {
  if (value === 0 || Number.isInteger(value)) return value.toLocaleString("en");
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toPrecision(value < 1 ? 2 : 3);
}
