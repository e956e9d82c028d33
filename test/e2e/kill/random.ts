/** Dice that fall the same way for the same seed. */
export interface Dice {
  /** From 0 to 1, 1 excluded. */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
  shuffled<T>(items: readonly T[]): T[];
}

/** A linear congruential generator with a mixed output: enough to spread kills, and the same on every machine. */
export function createDice(seed: number): Dice {
  let state = BigInt(seed >>> 0) * 2_862_933_555_777_941_757n + 3_037_000_493n;
  function next(): number {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & 0xffff_ffff_ffff_ffffn;
    const mixed = Number(((state ^ (state >> 29n)) >> 20n) & 0xffff_ffffn);
    return mixed / 2 ** 32;
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    pick: (items) => items[between(0, items.length - 1)] ?? items[0],
    shuffled(items) {
      const order = [...items];
      for (let last = order.length - 1; last > 0; last -= 1) {
        const other = between(0, last);
        [order[last], order[other]] = [order[other] as (typeof order)[number], order[last] as (typeof order)[number]]; // both indexes exist
      }
      return order;
    },
  };
}
