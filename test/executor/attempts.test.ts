import { expect, test } from "vitest";
import { z } from "zod";
import { SignalboxError } from "../../src/errors.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const BACKOFF_MS = 6_000;

/** Fails at first, asking to be left alone for longer than an execution is kept in memory, and then hangs until it is interrupted. */
function stubbornStep() {
  const attempts: number[] = [];
  const type = defineStep({
    type: "stubborn",
    title: "Stubborn",
    description: "For tests",
    group: "Work",
    config: z.record(z.string(), z.unknown()),
    run({ attempt, signal }) {
      attempts.push(attempt);
      if (attempt === 1) throw new SignalboxError("STEP_FAILED", "Busy", { details: { retryAfterMs: BACKOFF_MS } });
      if (attempt === 3) return { kind: "done" };
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));
    },
  });
  return { type: type as StepType, attempts };
}

test("an attempt that was cut short after a parked back-off counts, so that crashes cannot add attempts", async () => {
  const { type, attempts } = stubbornStep();
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [type], clock });
  await engine.define({ id: "one", name: "One", steps: [{ id: "a", type: "stubborn", retry: { maxAttempts: 5, delay: "1s" } }] });
  const { id } = await engine.start("one");
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
  clock.advance(BACKOFF_MS);
  await expect.poll(() => attempts).toEqual([1, 2]);
  clock.advance(30);
  await expect.poll(async () => (await engine.executor.get("default", id)).inFlight["a"]?.attempt).toBe(2);
  // The step is interrupted as a crash does it, but that nothing has to wait for the end of the lease.
  const drained = engine.worker.drain(0);
  clock.advance(1);
  await drained;
  const second = engine.addWorker("worker-2");
  second.take({ tenant: "default", executionId: id });
  await second.idle();
  expect(attempts).toEqual([1, 2, 3]);
  const begun = (await engine.events(id)).filter(({ type: kind }) => kind === "step.started");
  expect(begun.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
});
