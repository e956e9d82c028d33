import { expect, test } from "vitest";
import type { ExecutionStore, Store } from "../../src/ports/store.ts";
import { createEngine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";
import { aRelay, ended, firsts, openMemory, recordingSink, upTo } from "./support.ts";

const line = (length: number, type = "transform") => ({
  name: "line",
  steps: upTo(length).map((n) => ({ id: `s${n}`, type, config: { set: {} }, nextSteps: n < length ? [`s${n + 1}`] : [] })),
});

/** The store with some calls of executions replaced. */
function withExecutions(store: Store, replaced: Partial<ExecutionStore>): Store {
  return { ...store, executions: { ...store.executions, ...replaced } };
}

test("every event is handed on once, in order, and the record says so", async () => {
  const sink = recordingSink();
  await using engine = await createEngine({ sinks: [sink] });
  const { id, status } = await engine.run(await engine.define(line(3)));
  await engine.relay.idle();
  const events = await engine.events(id);
  expect(status).toBe("COMPLETED");
  expect(sink.taken).toEqual(events.map(({ seq }) => ({ id, seq })));
  expect(await engine.executor.get("default", id)).toMatchObject({ relayedSeq: events.length, relayAt: null });
});

test("where nobody wants anything, records say nothing of it and nothing is written for it", async () => {
  const sink = recordingSink("nobody", () => false);
  const clock = manualClock();
  const store = await openMemory(clock);
  let marks = 0;
  const counted = withExecutions(store, {
    async markRelayed(...given) {
      marks += 1;
      return await store.executions.markRelayed(...given);
    },
  });
  await using engine = await createEngine({ sinks: [sink], store: counted, clock });
  const { id } = await engine.run(await engine.define(line(3)));
  await engine.relay.idle();
  const record = await engine.executor.get("default", id);
  expect([record.relayAt, record.relayedSeq, marks, sink.offers]).toEqual([undefined, undefined, 0, 0]);
});

test("a held execution is handed on as it goes; its relay's place travels with its own commits", async () => {
  const clock = manualClock();
  const store = await openMemory(clock);
  let marks = 0;
  const places: unknown[] = [];
  const counted = withExecutions(store, {
    async markRelayed(...given) {
      marks += 1;
      return await store.executions.markRelayed(...given);
    },
    async commit(commit) {
      places.push(commit.execution.relayedSeq);
      return await store.executions.commit(commit);
    },
  });
  const sink = recordingSink();
  await using engine = await createEngine({ sinks: [sink], store: counted, clock });
  const { id } = await engine.run(
    await engine.define({
      name: "w",
      steps: upTo(6).map((n) => ({
        id: `s${n}`,
        type: "action",
        config: { action: "random.uuid" },
        nextSteps: n < 6 ? [`s${n + 1}`] : [],
      })),
    }),
  );
  await engine.relay.idle();
  expect(marks).toBe(1);
  expect(places.at(-1)).toBeGreaterThan(1);
  expect(firsts(sink.taken, id)).toEqual(upTo(sink.taken.length));
});

test("executions complete while a sink is away, and everything is handed on afterwards, in order", async () => {
  const sink = recordingSink();
  const clock = manualClock();
  await using engine = await createEngine({ sinks: [sink], clock });
  const workflow = await engine.define(line(3));
  sink.isAway = true;
  const ran = await Promise.all(upTo(20).map(() => engine.run(workflow)));
  await engine.relay.idle();
  expect(ran.map(({ status }) => status)).toEqual(ran.map(() => "COMPLETED"));
  expect(sink.taken).toEqual([]);
  const offered = sink.offers;
  // After a few failures in a row it is left alone: no attempt per execution.
  expect(offered).toBeLessThan(70);
  for (let n = 0; n < 6; n += 1) {
    clock.advance(10_000);
    await engine.relay.sweep();
  }
  sink.isAway = false;
  clock.advance(60_000);
  await engine.relay.sweep();
  await engine.relay.idle();
  for (const { id, lastSeq } of ran) expect(firsts(sink.taken, id)).toEqual(upTo(lastSeq));
  for (const { id, lastSeq } of ran) expect(await engine.executor.get("default", id)).toMatchObject({ relayedSeq: lastSeq, relayAt: null });
});

test("one sink that is away stops no other, and the other is not asked again", async () => {
  const [away, well] = [recordingSink("away"), recordingSink("well")];
  const clock = manualClock();
  await using engine = await createEngine({ sinks: [away, well], clock });
  away.isAway = true;
  const { id, lastSeq } = await engine.run(await engine.define(line(3)));
  await engine.relay.idle();
  expect(well.taken).toHaveLength(lastSeq);
  clock.advance(60_000);
  await engine.relay.sweep();
  away.isAway = false;
  clock.advance(600_000);
  await engine.relay.sweep();
  await engine.relay.idle();
  expect(firsts(away.taken, id)).toEqual(upTo(lastSeq));
  expect(well.taken).toHaveLength(lastSeq);
});

test("a process killed between handing on and noting it: the same events come again, and once more only", async () => {
  const clock = manualClock();
  const store = await openMemory(clock);
  const sink = recordingSink();
  const killed = withExecutions(store, { markRelayed: async () => await new Promise(() => {}) });
  const engine = await createEngine({ sinks: [sink], store: killed, clock });
  const { id, lastSeq } = await engine.run(await engine.define(line(2)));
  await expect.poll(() => sink.taken.length).toBe(lastSeq);
  // It is gone, with all it knew; another process looks when its grace is over.
  const other = aRelay(store, clock, [sink]);
  await other.sweep();
  expect(sink.taken).toHaveLength(lastSeq);
  clock.advance(6_000);
  await other.sweep();
  expect(sink.taken.map(({ seq }) => seq)).toEqual([...upTo(lastSeq), ...upTo(lastSeq)]);
  clock.advance(600_000);
  await other.sweep();
  expect(sink.taken).toHaveLength(2 * lastSeq);
  expect((await store.executions.get("default", id))?.execution.relayAt).toBeNull();
  await other.stop();
});

test("an execution nobody claims has its first event handed on all the same", async () => {
  const clock = manualClock();
  const sink = recordingSink();
  await using engine = await createEngine({ sinks: [sink], clock, consume: false });
  const { id } = await engine.start(await engine.define(line(1)));
  clock.advance(31_000);
  await engine.relay.sweep();
  expect(sink.taken).toEqual([{ id, seq: 1 }]);
  engine.worker.take({ tenant: "default", executionId: id });
  await engine.worker.idle();
  await engine.relay.idle();
  expect(firsts(sink.taken, id)).toEqual(upTo((await engine.events(id)).length));
});

test("a history longer than one batch is handed on whole", async () => {
  const clock = manualClock();
  const store = await openMemory(clock);
  await ended(store, "long", { lastSeq: 450, relayAt: clock.now() });
  const sink = recordingSink();
  const relay = aRelay(store, clock, [sink]);
  await relay.sweep();
  expect(sink.taken.map(({ seq }) => seq)).toEqual(upTo(450));
  await relay.stop();
});

test("of several processes that look at once, one hands an execution on", async () => {
  const clock = manualClock();
  const store = await openMemory(clock);
  for (const n of upTo(150)) await ended(store, `e${n}`, { lastSeq: 3, relayAt: clock.now() });
  const sink = recordingSink();
  const relays = [1, 2, 3].map(() => aRelay(store, clock, [sink]));
  await Promise.all(relays.map((relay) => relay.sweep()));
  expect(sink.taken).toHaveLength(450);
  for (const relay of relays) await relay.stop();
});

test("whatever breaks off and overlaps, first copies are in order and none is missing", async () => {
  let state = 42;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const clock = manualClock();
  const store = await openMemory(clock);
  const sink = recordingSink();
  // A third of the offers breaks off in between; a third of the notes is lost with its process.
  sink.cutAfter = () => (random(3) === 0 ? random(6) : undefined);
  const forgetful = withExecutions(store, {
    markRelayed: async (...given) => (random(3) === 0 ? undefined : await store.executions.markRelayed(...given)),
  });
  for (const n of upTo(30)) await ended(store, `e${n}`, { lastSeq: 2 + random(8), relayAt: clock.now() + random(1_000) });
  const relays = [1, 2].map(() => aRelay(forgetful, clock, [sink]));
  for (let round = 0; round < 40; round += 1) {
    clock.advance(5_000 + random(60_000));
    // Some look for what was put off as well: they overlap with whoever has it.
    await Promise.all(relays.map((relay) => relay.sweep(random(2) * 400_000)));
    if (random(3) === 0) relays.push(aRelay(forgetful, clock, [sink]));
  }
  sink.cutAfter = undefined;
  clock.advance(600_000);
  const last = aRelay(store, clock, [sink]);
  await last.sweep();
  for (const n of upTo(30)) {
    const lastSeq = (await store.executions.get("t", `e${n}`))?.execution.lastSeq ?? 0;
    expect(firsts(sink.taken, `e${n}`)).toEqual(upTo(lastSeq));
  }
  expect(sink.taken.length).toBeGreaterThan(new Set(sink.taken.map(({ id, seq }) => `${id}/${seq}`)).size);
  for (const relay of [...relays, last]) await relay.stop();
});
