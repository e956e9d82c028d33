import { expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../../src/definition/json.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine, testInMemory } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

/** A step that notes numbers one after the other, and says what it found; `hold` is asked after each note. */
function notingStep(hold: (noted: Json[]) => Promise<void> | void) {
  const found: Json[][] = [];
  const type = defineStep({
    type: "noting",
    title: "Noting",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ until: z.number() }),
    async run({ config, journal }) {
      const notes = await journal.read();
      found.push([...notes]);
      while (notes.length < config.until) {
        const next = notes.length === 1 ? "x".repeat(5_000) : notes.length;
        await journal.append(next);
        notes.push(next);
        await hold(notes);
      }
      return { kind: "done", output: notes.length };
    },
  });
  return { stepTypes: [type as unknown as StepType], found };
}

testInMemory("what a step noted is durable at once, large or small, although nothing else is to be written", async () => {
  const clock = manualClock();
  const { promise: stale, resolve } = Promise.withResolvers<void>();
  let reached = 0;
  const { stepTypes, found } = notingStep((notes) => {
    reached = notes.length;
    return found.length === 1 && notes.length === 3 ? stale : undefined;
  });
  await using engine = await createEngine({ stepTypes, clock, leaseMs: 10_000 });
  await engine.define({
    id: "note",
    name: "Note",
    steps: [{ id: "note", type: "noting", config: { until: 4 } }],
    output: { count: "${ steps.note.output }" },
  });
  const { id } = await engine.start("note");
  await expect.poll(() => reached).toBe(3);
  const second = engine.addWorker("worker-2");
  const now = ((await engine.executor.get("default", id)).leaseUntil ?? 0) + 1;
  Object.assign(clock, { now: () => now });
  second.take({ tenant: "default", executionId: id });
  await second.idle();
  resolve();
  await engine.worker.idle();
  expect(found).toEqual([[], [0, "x".repeat(5_000), 2]]);
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "COMPLETED", output: { count: 4 } });
});

test("notes belong to one visit: the next one begins without them, and none is left when all is over", async () => {
  const { stepTypes, found } = notingStep(() => {});
  await using engine = await createEngine({ stepTypes });
  await engine.define({
    id: "loop",
    name: "Loop",
    steps: [
      { id: "each", type: "loop", config: { loopType: "count", count: 3, maxIterations: 3, body: "note" } },
      { id: "note", type: "noting", config: { until: 2 }, nextSteps: ["ask"] },
      { id: "ask", type: "approval", config: { title: "Go on?" } },
    ],
  });
  const { id, journals } = await engine.run("loop");
  expect(journals).toEqual({});
  for (let round = 1; round <= 3; round++) {
    const open = async () => (await engine.executor.waits("default", { executionId: id, status: "open", pageSize: 1 })).items[0]?.id;
    await expect.poll(open).toBeDefined();
    await engine.executor.answer({ id: "ann", tenant: "default" }, (await open()) ?? "", { decision: "approve" });
  }
  await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("COMPLETED");
  expect(found).toEqual([[], [], []]);
  expect((await engine.executor.get("default", id)).journals).toBeUndefined();
});
