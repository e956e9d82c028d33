import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import { startSweeper } from "../../src/executor/sweeper.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { defineStep } from "../../src/steps/step.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { emulated, firestoreAddress, newProject, openTestStore } from "./projects.ts";

const LEASE_MS = 1_500;
// Two pods, the emulator and this test share two cores with whatever else runs.
const PATIENT = { timeout: 10_000, interval: 10 };
const { tenant } = LOCAL_PRINCIPAL;

describe.runIf(emulated)("two pods on one Firestore", () => {
  /** Runs of the step "gate" that wait to be let through, in order of their start. */
  const gates: { key: string; attempt: number; open: () => void }[] = [];
  const gate = defineStep({
    type: "gate",
    title: "Gate",
    description: "Waits until the test opens it",
    group: "Work",
    config: z.object({}),
    run: async ({ idempotencyKey, attempt }) => {
      await new Promise<void>((resolve) => gates.push({ key: idempotencyKey, attempt, open: resolve }));
      return { kind: "done", output: { attempt } };
    },
  });
  const work = defineStep({ ...gate, type: "work", run: () => ({ kind: "done", output: null }) });
  const line = (name: string, types: string[]) => ({
    name,
    steps: types.map((type, n) => ({ id: `s${n}`, name: `s${n}`, type, config: {}, nextSteps: n < types.length - 1 ? [`s${n + 1}`] : [] })),
  });

  let proxy: FaultProxy;
  /** Pod A reaches Firestore through the proxy, pod B directly. Only a pod with a worker of its name takes work. */
  let a: Engine;
  let b: Engine;
  const stops: (() => void)[] = [];

  beforeEach(async () => {
    const project = newProject();
    gates.length = 0;
    proxy = await startFaultProxy(firestoreAddress);
    const common = { stepTypes: [gate, work], consume: false, leaseMs: LEASE_MS };
    a = await createEngine({ ...common, store: openTestStore(project, { through: proxy.address }) });
    b = await createEngine({ ...common, store: openTestStore(project) });
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop();
    for (const each of gates) each.open();
    proxy.set("pass");
    await a[Symbol.asyncDispose]();
    await b[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  /** A worker with its sweeper, as each pod has. */
  function serve(engine: Engine, id: string): void {
    const worker = engine.addWorker(id);
    const sweeper = startSweeper({ store: engine.store, worker, clock: systemClock, everyMs: 100, log: () => {} });
    stops.push(() => sweeper.stop());
  }

  test("who follows on one pod sees without a gap what runs on the other", async () => {
    const id = await a.define(line("followed", ["work", "work", "gate", "work"]));
    const { id: executionId } = await a.start(id);
    const seen: number[] = [];
    const following = (async () => {
      for await (const events of b.executor.follow(tenant, executionId, { afterSeq: 0, signal: AbortSignal.timeout(20_000) }))
        seen.push(...events.map(({ seq }) => seq));
    })();
    serve(a, "pod-a");
    await expect.poll(() => gates.length, PATIENT).toBe(1);
    const before = await a.events(executionId);
    await expect.poll(() => seen.length, PATIENT).toBeGreaterThanOrEqual(before.length);
    gates[0]?.open();
    await following;
    const after = await b.events(executionId);
    expect(after.at(-1)?.type).toBe("execution.completed");
    expect(seen).toEqual(after.map((_, n) => n + 1));
  });

  test("what a pod runs that lost the network is finished by the other, and nothing the first still writes lands", async () => {
    const id = await a.define(line("taken over", ["work", "gate", "work"]));
    const { id: executionId } = await a.start(id);
    serve(a, "pod-a");
    await expect.poll(() => gates.length, PATIENT).toBe(1);
    // That it began is stored a moment after it began; a pod that dies before leaves no attempt to count.
    const begun = async () => (await b.events(executionId)).some(({ type, stepId }) => type === "step.started" && stepId === "s1");
    await expect.poll(begun, PATIENT).toBe(true);
    proxy.set("blackhole");
    const lostAt = performance.now();
    serve(b, "pod-b");
    await expect.poll(() => gates.length, PATIENT).toBe(2);
    console.log(`taken over ${Math.round(performance.now() - lostAt)} ms after the network went, lease ${LEASE_MS} ms`);
    expect(gates[1]).toMatchObject({ key: gates[0]?.key, attempt: 2 });
    // The first pod goes on first, into the black hole, and gets through only after the second is done.
    gates[0]?.open();
    gates[1]?.open();
    expect(await b.settled(executionId)).toMatchObject({ status: "COMPLETED", epoch: 2 });
    const finished = await b.events(executionId);
    proxy.set("pass");
    await expect
      .poll(
        async () =>
          await a.executor.get(tenant, executionId).then(
            (execution) => execution.status,
            () => "away",
          ),
        PATIENT,
      )
      .toBe("COMPLETED");
    await a.worker.idle();
    expect(await b.events(executionId)).toEqual(finished);
    expect(finished.map(({ seq }) => seq)).toEqual(finished.map((_, n) => n + 1));
    expect(finished.filter(({ type, stepId }) => type === "step.completed" && stepId === "s1")).toHaveLength(1);
  });

  test("a due timer fires once, on whichever pod, also when the pod that set it is gone", { timeout: 60_000 }, async () => {
    const delay = (name: string, length: string) => ({
      name,
      steps: [
        { id: "rest", type: "delay" as const, config: { for: length }, nextSteps: ["after"] },
        { id: "after", type: "work", config: {} },
      ],
    });
    const [short, long] = [await a.define(delay("short", "300ms")), await a.define(delay("long", "1500ms"))];
    const ended = async (id: string) =>
      await expect.poll(async () => (await b.executor.get(tenant, id)).status, { timeout: 25_000, interval: 50 }).toBe("COMPLETED");
    const fired = async (id: string) => (await b.events(id)).filter(({ type }) => type === "wait.resolved").length;
    serve(a, "pod-a");
    const { id: orphan } = await a.start(long);
    await expect.poll(async () => (await b.executor.get(tenant, orphan)).isParked, PATIENT).toBe(true);
    // Its in-process timer fires all the same, into the black hole.
    proxy.set("blackhole");
    serve(b, "pod-b");
    await ended(orphan);
    proxy.set("pass");
    await a.worker.idle();
    expect(await fired(orphan)).toBe(1);
    // Both pods know of these, and both are awake.
    const started = await Promise.all(Array.from({ length: 20 }, () => b.start(short)));
    for (const { id } of started) {
      await ended(id);
      expect(await fired(id)).toBe(1);
    }
  });

  test("of many queued executions none is claimed twice, and each ends once", async () => {
    const id = await a.define(line("queued", ["work"]));
    const started = await Promise.all(Array.from({ length: 120 }, () => a.start(id)));
    const began = performance.now();
    serve(a, "pod-a");
    serve(b, "pod-b");
    await expect
      .poll(async () => (await a.store.executions.stats(tenant, [id])).get(id)?.completed, { timeout: 25_000, interval: 100 })
      .toBe(120);
    console.log(`120 executions by two pods: ${Math.round(120 / ((performance.now() - began) / 1_000))} per second`);
    const pages = await b.store.events.pagesOf(
      tenant,
      started.map((execution) => execution.id),
      { afterSeq: 0, limit: 100 },
    );
    for (const events of pages.values()) {
      const claims = events.filter(({ type }) => type === "execution.claimed");
      expect(claims).toHaveLength(1);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => n + 1));
      expect(events.filter(({ type }) => type === "execution.completed")).toHaveLength(1);
    }
  });

  test("mail sent on one pod reaches at once the execution that runs on the other", async () => {
    const id = await a.define(line("cancelled", ["gate", "work"]));
    const { id: executionId } = await a.start(id);
    serve(a, "pod-a");
    await expect.poll(() => gates.length, PATIENT).toBe(1);
    const sentAt = performance.now();
    expect((await b.executor.cancel(LOCAL_PRINCIPAL, executionId, "enough")).status).toBe("CANCELLED");
    console.log(`cancelled across pods in ${Math.round(performance.now() - sentAt)} ms`);
  });
});
