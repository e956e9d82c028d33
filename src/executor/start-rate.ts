import type { Clock } from "../ports/clock.ts";
import { createLru } from "./lru.ts";

/** Tenants whose starts are counted; one that is forgotten begins with a full bucket. */
const CAPACITY = 10_000;

interface StartRateOptions {
  clock: Clock;
  perSecond(tenant: string): number | undefined;
}

/** A bucket of starts for each tenant, of one second's worth. Tells how long to wait, milliseconds; 0: go on. */
export function createStartRate({ clock, perSecond }: StartRateOptions): (tenant: string) => number {
  const buckets = createLru<{ left: number; at: number }>(CAPACITY);
  return (tenant) => {
    const rate = perSecond(tenant);
    if (rate === undefined) return 0;
    const size = Math.max(1, rate);
    const bucket = buckets.get(tenant, () => ({ left: size, at: clock.now() }));
    const now = clock.now();
    bucket.left = Math.min(size, bucket.left + (Math.max(0, now - bucket.at) * rate) / 1_000);
    bucket.at = now;
    if (bucket.left < 1) return Math.ceil(((1 - bucket.left) / rate) * 1_000);
    bucket.left -= 1;
    return 0;
  };
}
