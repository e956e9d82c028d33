import { Annotation, Command, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { openStore } from "../../src/adapters/open.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { ExecutionCommit, Store } from "../../src/ports/store.ts";
import { goOnElsewhere, runOwnGraph } from "../../src/steps/own-graph.ts";
import { defineStep, type Kept, type StepContext, type StepResult } from "../../src/steps/step.ts";
import { createEngine, testInMemory, type EngineOptions } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const Notes = Annotation.Root({ notes: Annotation<Kept[]>({ reducer: (left, right) => [...left, ...right], default: () => [] }) });

/** A step with a graph of its own, one note of `size` characters per superstep; `hold` is asked in each. */
function notingStep(hold: (noted: number) => Promise<void> | void, { size = 10 }: { size?: number } = {}) {
  const seen: number[] = [];
  const type = defineStep({
    type: "noting",
    title: "Noting",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ until: z.number() }),
    resume: (context) => goOn(context),
    run: (context) => goOn(context),
  });
  async function goOn(context: StepContext<{ until: number }>): Promise<StepResult> {
    const { thread, config } = context;
    const graph = new StateGraph(Notes)
      .addNode(
        "note",
        async ({ notes }: typeof Notes.State) => {
          seen.push(notes.length);
          await hold(notes.length);
          const goto = notes.length + 1 < config.until ? "note" : "__end__";
          return new Command({ update: { notes: [thread.keep(`${notes.length}`.padEnd(size, "x"))] }, goto });
        },
        { ends: ["note", "__end__"] },
      )
      .addEdge(START, "note")
      .compile({ checkpointer: thread.checkpointer });
    const ended = await runOwnGraph<typeof Notes.State, never>(context, {
      maxConcurrency: 1,
      invoke: (options, hasBegun) => graph.invoke(hasBegun ? null : { notes: [] }, options),
    });
    if (!ended) return goOnElsewhere(context, null);
    const notes = await thread.read(ended.state.notes);
    return { kind: "done", output: { count: notes.length, lengths: notes.map((note) => String(note).length) } };
  }
  const options: EngineOptions = { stepTypes: [type] };
  return { options, seen };
}

const noting = (until: number) => ({
  id: "note",
  name: "Note",
  steps: [{ id: "note", type: "noting", config: { until } }],
  output: { notes: "${ steps.note.output }" },
});

testInMemory(
  "each superstep of a step's own graph is durable before the next, so that the attempt after a crash goes on there",
  async () => {
    const clock = manualClock();
    const { promise: stale, resolve } = Promise.withResolvers<void>();
    const { options, seen } = notingStep((noted) => (noted === 2 && seen.length === 3 ? stale : undefined), { size: 5_000 });
    await using engine = await createEngine({ ...options, clock, leaseMs: 10_000 });
    await engine.define(noting(4));
    const { id } = await engine.start("note");
    await expect.poll(() => seen).toEqual([0, 1, 2]);
    const second = engine.addWorker("worker-2");
    const now = ((await engine.executor.get("default", id)).leaseUntil ?? 0) + 1;
    Object.assign(clock, { now: () => now });
    second.take({ tenant: "default", executionId: id });
    await second.idle();
    resolve();
    await engine.worker.idle();
    expect(seen).toEqual([0, 1, 2, 2, 3]);
    const { status, output } = await engine.executor.get("default", id);
    expect(status).toBe("COMPLETED");
    expect(output).toEqual({ notes: { count: 4, lengths: [5_000, 5_000, 5_000, 5_000] } });
  },
);

testInMemory("a worker that stops hands the step over after its superstep: nothing is repeated, and it is the same attempt", async () => {
  const first = Promise.withResolvers<void>();
  const { options, seen } = notingStep((noted) => (noted === 1 ? first.promise : undefined));
  await using engine = await createEngine({ ...options, consume: false });
  const { steps, ...rest } = noting(4);
  // With `once`, an attempt that was begun and not ended would ask a person what happened.
  await engine.define({ ...rest, steps: steps.map((step) => ({ ...step, effect: "once" as const })) });
  const { id } = await engine.start("note");
  engine.worker.take({ tenant: "default", executionId: id });
  await expect.poll(() => seen).toEqual([0, 1]);
  const drained = engine.worker.drain(60_000);
  first.resolve();
  await drained;
  const handed = await engine.executor.get("default", id);
  expect(handed).toMatchObject({ status: "RUNNING", owner: null, inFlight: {}, waits: [{ kind: "timer", stepId: "note", attempt: 1 }] });
  expect(seen).toEqual([0, 1]);
  const second = engine.addWorker("worker-2");
  second.take({ tenant: "default", executionId: id });
  await second.idle();
  expect(seen).toEqual([0, 1, 2, 3]);
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "COMPLETED", output: { notes: { count: 4 } } });
  const events = await engine.events(id);
  expect(events.filter(({ type }) => type === "step.started").map(({ attempt }) => attempt)).toEqual([1]);
  expect(events.find(({ type }) => type === "step.waiting")?.summary).toBe("note stops between two rounds, to go on in another process.");
});

test("a thread belongs to one visit: the next one begins anew, and the record keeps none", async () => {
  const { options, seen } = notingStep(() => {});
  await using engine = await createEngine(options);
  await engine.define({
    id: "loop",
    name: "Loop",
    steps: [
      { id: "each", type: "loop", config: { loopType: "count", count: 3, maxIterations: 3, concurrency: 2, body: "note" } },
      { id: "note", type: "noting", config: { until: 2 } },
    ],
  });
  const { status, checkpoints } = await engine.run("loop");
  expect(status).toBe("COMPLETED");
  expect(seen.toSorted()).toEqual([0, 0, 0, 1, 1, 1]);
  expect(Object.keys(checkpoints)).toEqual([""]);
});

/** A store that measures what each commit writes. */
async function measuredStore(): Promise<{ store: Store; sizes: { record: number; checkpoints: number; values: number }[] }> {
  const store = await openStore("sqlite::memory:", { ownerId: "worker-1", clock: systemClock });
  const sizes: { record: number; checkpoints: number; values: number }[] = [];
  const bytes = (value: unknown) => JSON.stringify(value).length;
  const commit = (request: ExecutionCommit) => {
    const states = request.checkpoints.map(({ checkpoint }) => checkpoint.channel_values);
    sizes.push({ record: bytes(request.execution), checkpoints: bytes(states), values: bytes(request.values) });
    return store.executions.commit(request);
  };
  return { store: { ...store, executions: { ...store.executions, commit } }, sizes };
}

test("50 results of 20 kB are written once each: neither record nor checkpoint grows with them", async () => {
  const { store, sizes } = await measuredStore();
  const { options } = notingStep(() => {}, { size: 20_000 });
  await using engine = await createEngine({ ...options, store });
  await engine.define(noting(50));
  expect((await engine.run("note")).output).toMatchObject({ notes: { count: 50 } });
  expect(Math.max(...sizes.map(({ record }) => record))).toBeLessThan(5_000);
  expect(Math.max(...sizes.map(({ checkpoints }) => checkpoints))).toBeLessThan(10_000);
  expect(sizes.reduce((sum, { values }) => sum + values, 0)).toBeLessThan(51 * 20_100);
});
