import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { deadlineOfOperation, withDeadline, withoutDeadline } from "../../src/adapters/firestore/deadline.ts";
import { tellAll } from "../../src/adapters/firestore/listener.ts";

test("calls of an operation have its deadline, an inner operation the nearer of the two", async () => {
  const before = Date.now();
  const [outer, nearer, farther] = await withDeadline(async () => {
    const deadlines = [deadlineOfOperation()];
    for (const ms of [1_000, 60_000]) deadlines.push(await withDeadline(() => Promise.resolve(deadlineOfOperation()), ms));
    return deadlines;
  }, 30_000);
  expect(outer).toBeGreaterThanOrEqual(before + 30_000);
  expect(nearer).toBeLessThan(before + 30_000);
  expect(farther).toBe(outer);
  expect(deadlineOfOperation()).toBeUndefined();
});

test("what an operation set off and what outlives it has no deadline: a sweep, an execution that was woken", async () => {
  let late = Promise.resolve<number | undefined>(0);
  await withDeadline(async () => {
    late = pause(20).then(() => deadlineOfOperation());
  }, 30_000);
  expect(await late).toBeUndefined();
});

test("who is told of a change, in the middle of the operation that made it, does not work under its deadline", async () => {
  const found: (number | undefined)[] = [];
  await withDeadline(async () => {
    tellAll(new Set([() => found.push(deadlineOfOperation())]));
    found.push(withoutDeadline(deadlineOfOperation));
  }, 30_000);
  expect(found).toEqual([undefined, undefined]);
});
