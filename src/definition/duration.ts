import { z } from "zod";

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const MAX_MS = 365 * UNIT_MS.d;

/** A length of time as a person writes it: "250ms", "2s", "5m", "2h", "7d"; one year at most. */
export const Duration = z.string().regex(DURATION, 'must be a duration like "30s", "5m" or "2h"').meta({ id: "Duration" });

/** Milliseconds of a duration, or undefined where the text is none (expressions give text at run time). */
export function durationMs(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (!match) return undefined;
  const milliseconds = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  return milliseconds <= MAX_MS ? milliseconds : undefined;
}
