import { expect, test } from "vitest";
import { createSharedClock } from "../../src/ports/shared-clock.ts";
import { manualClock } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;

/** A machine whose clock is off, and the store's time beside it. */
function setup(offMs: number) {
  const start = Date.UTC(2026, 0, 1);
  const machine = manualClock(start + offMs);
  const changes: number[] = [];
  const clock = createSharedClock(machine, (aheadMs) => changes.push(aheadMs));
  const theirs = () => machine.now() - offMs;
  /** An answer: so long until the store looked at its clock, and so long back. */
  const ask = (there: number, back: number) => {
    const asked = clock.now();
    machine.advance(there);
    const read = theirs();
    machine.advance(back);
    clock.observe(read, asked);
    return clock.now() - theirs();
  };
  return { ask, changes };
}

test("a clock that may be right is left alone, however long an answer took", () => {
  const { ask, changes } = setup(800);
  expect([ask(5, 5), ask(4_000, 10), ask(10, 4_000)]).toEqual([800, 800, 800]);
  expect(changes).toEqual([]);
});

test.each([HOUR_MS, -HOUR_MS, 60_000])("one that is %i ms off is put right, and never ahead after a slow connection", (offMs) => {
  const { ask, changes } = setup(offMs);
  // Nothing but the way back is missing, and that is behind.
  expect(ask(4_000, 10)).toBe(-10);
  expect(changes).toEqual([offMs + 10]);
  expect(ask(5, 5)).toBe(-10);
  expect(ask(10, 3_000)).toBe(-10);
});

test("an answer to what was asked before a change says nothing", () => {
  const machine = manualClock(Date.UTC(2026, 0, 1) + HOUR_MS);
  const clock = createSharedClock(machine, () => {});
  const asked = clock.now();
  clock.observe(asked - HOUR_MS, asked);
  expect(clock.now()).toBe(asked - HOUR_MS);
  clock.observe(asked + 7 * HOUR_MS, asked);
  expect(clock.now()).toBe(asked - HOUR_MS);
});
