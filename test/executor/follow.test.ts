import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { SignalboxError } from "../../src/errors.ts";
import { followEvents } from "../../src/executor/follow.ts";
import type { ExecutionHandle, Store } from "../../src/ports/store.ts";
import { commitOn, newTenant, START, start } from "../contract/store/fixtures.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";

let clock: ManualClock;
let store: Store;
let handle: ExecutionHandle;
let stop: AbortController;

beforeEach(async () => {
  clock = manualClock(START);
  store = await openStore("sqlite::memory:", { ownerId: "a", clock });
  handle = await start(store, { tenant: newTenant() });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await store.close();
});

/** The store as a watcher sees it whose listener says nothing, with times of its looks; `isAway` makes it unreachable. */
function silent() {
  const looks: number[] = [];
  const state = { isAway: false };
  const after: Store["events"]["after"] = async (...asked) => {
    looks.push((clock.now() - START) / 1_000);
    if (state.isAway) throw new SignalboxError("UNAVAILABLE", "The store did not answer.");
    return await store.events.after(...asked);
  };
  return { looks, state, store: { ...store, events: { ...store.events, after, watch: () => () => {} } } };
}

/** Follows into `seen`, which is filled while the clock goes on. */
function follow(from: Store) {
  const { tenant, id } = handle.execution;
  const seen: number[] = [];
  const done = (async () => {
    for await (const batch of followEvents({ store: from, clock }, tenant, id, { afterSeq: 0, signal: stop.signal }))
      seen.push(...batch.map(({ seq }) => seq));
  })();
  return { seen, done };
}

/** Lets the clock go on second by second, and what it woke do its reads. */
async function pass(seconds: number): Promise<void> {
  await read();
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1_000);
    await read();
  }
}

/** A store in memory answers within a few turns of the loop, on any machine. */
async function read(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn();
}

test("a watcher whom nobody tells anything looks later each time, up to every half minute, and soon again after news", async () => {
  const { looks, store: from } = silent();
  const { seen, done } = follow(from);
  await pass(125);
  expect(looks).toEqual([0, 2, 6, 14, 30, 60, 90, 120]);
  expect(seen).toEqual([1]);
  await store.executions.commit(commitOn(handle, { lastSeq: 3 }));
  await pass(25);
  expect(seen).toEqual([1, 2, 3]);
  await pass(10);
  expect(looks.slice(8)).toEqual([150, 152, 156]);
  stop.abort();
  await done;
});

test("a watcher stays while the store is away and misses nothing; it ends with its signal", async () => {
  const { looks, state, store: from } = silent();
  const { seen, done } = follow(from);
  await pass(1);
  state.isAway = true;
  handle = await store.executions.commit(commitOn(handle, { lastSeq: 2 }));
  await pass(60);
  expect(seen).toEqual([1]);
  // Eight seconds between two tries at most: 60 s are fewer than thirty.
  expect(looks.length).toBeLessThan(30);
  state.isAway = false;
  await store.executions.commit(commitOn(handle, { lastSeq: 4 }));
  await pass(9);
  expect(seen).toEqual([1, 2, 3, 4]);

  state.isAway = true;
  await pass(40);
  stop.abort();
  await done;
});

test("what is no outage ends the watching with its error", async () => {
  const { store: from } = silent();
  const broken = { ...from, events: { ...from.events, after: () => Promise.reject(new SignalboxError("INTERNAL", "broken")) } };
  await expect(follow(broken).done).rejects.toThrow("broken");
});
