import { expect, test } from "vitest";
import type { EventVia } from "../../src/definition/received-event.ts";
import { SignalboxError } from "../../src/errors.ts";
import { replayPage } from "../../src/events/replay.ts";
import { manualClock } from "../support/manual-clock.ts";
import { anEventProcess, onPaid, paid } from "./support.ts";

const take = { via: "api" as EventVia };
const statuses = (outcomes: { workflowId: string; status: string }[]) =>
  outcomes.map(({ workflowId, status }) => `${workflowId} ${status}`);

test("an event is kept with what became of it, also where nothing listens", async () => {
  const { define, events, store } = await anEventProcess({ clock: manualClock() });
  await define({ id: "ship", triggers: [onPaid()] });
  const receipt = await events.ingest.take("default", paid(), { via: "pubsub" });
  expect(statuses(receipt.outcomes)).toEqual(["ship STARTED"]);
  const kept = await store.received.get("default", receipt.id);
  expect(kept).toMatchObject({ event: paid(), via: "pubsub", result: { outcomes: receipt.outcomes, woken: [] } });
  const { id } = await events.ingest.take("default", paid({ type: "shop.lost", id: "2" }), take);
  expect((await store.received.list("default", { outcome: "IGNORED", pageSize: 5 })).items.map((each) => each.id)).toEqual([id]);
});

test("a copy changes nothing of what is kept, unless it started what had not started", async () => {
  const clock = manualClock();
  const { define, events, store } = await anEventProcess({ clock });
  await define({ id: "a", triggers: [onPaid()] });
  const { id } = await events.ingest.take("default", paid(), take);
  const before = await store.received.get("default", id);
  const copy = await events.ingest.take("default", paid({ data: { order: "other" } }), take);
  expect(statuses(copy.outcomes)).toEqual(["a DUPLICATE"]);
  expect(await store.received.get("default", id)).toEqual(before);
  await define({ id: "b", triggers: [onPaid()] });
  await events.ingest.take("default", paid(), take);
  const after = await store.received.get("default", id);
  expect(after).toMatchObject({ event: paid(), receivedAt: before?.receivedAt });
  expect(statuses(after?.result.outcomes ?? [])).toEqual(["a STARTED", "b STARTED"]);
});

test("an event that could not be kept is no accepted one, and sending it again starts nothing twice", async () => {
  const clock = manualClock();
  const first = await anEventProcess({ clock });
  await first.define({ id: "ship", triggers: [onPaid()] });
  const received = {
    ...first.store.received,
    add: async () => {
      throw new SignalboxError("UNAVAILABLE");
    },
  };
  const failing = await anEventProcess({ clock, store: { ...first.store, received } });
  await expect(failing.events.ingest.take("default", paid(), take)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  const { outcomes, id } = await first.events.ingest.take("default", paid(), take);
  expect(statuses(outcomes)).toEqual(["ship DUPLICATE"]);
  expect(await first.started()).toHaveLength(1);
  expect(await first.store.received.get("default", id)).toBeDefined();
});

test("the same event twenty times at once in two processes is one execution and one kept event", async () => {
  const clock = manualClock();
  const first = await anEventProcess({ clock });
  const second = await anEventProcess({ clock, store: first.store });
  await first.define({ id: "ship", triggers: [onPaid()] });
  await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? first : second).events.ingest.take("default", paid(), take)));
  expect(await first.started()).toHaveLength(1);
  expect((await first.store.received.list("default", { pageSize: 5 })).items).toHaveLength(1);
});

test("an event of a registered type must fit it, in every process within five seconds", async () => {
  const clock = manualClock();
  const { events, store } = await anEventProcess({ clock });
  const other = await anEventProcess({ clock, store });
  await other.events.ingest.take("default", paid({ id: "before", data: 7 }), take);
  await events.types.put("default", "shop.paid", { schema: { type: "object", required: ["order"] }, example: { order: "x" } });
  const issues = [{ code: "MISSING_FIELD", pointer: "/data/order", message: expect.any(String) as string }];
  await expect(events.ingest.take("default", paid({ data: {} }), take)).rejects.toMatchObject({ code: "EVENT_MISMATCH", issues });
  expect(await store.received.get("default", "2")).toBeUndefined();
  clock.advance(5_000);
  await expect(other.events.ingest.take("default", paid({ data: {} }), take)).rejects.toMatchObject({ code: "EVENT_MISMATCH" });
  await events.ingest.take("default", paid(), take);
  await events.ingest.take("another", paid({ data: {} }), take);
  await events.types.remove("default", "shop.paid");
  await events.ingest.take("default", paid({ id: "3", data: {} }), take);
});

test("a type whose schema is none, or whose own example does not fit, is refused with pointers", async () => {
  const { events } = await anEventProcess({ clock: manualClock() });
  const refused = async (input: object) =>
    await events.types
      .put("default", "t", { schema: {}, ...input })
      .catch((error: SignalboxError) => error.issues.map(({ pointer }) => pointer));
  expect(await refused({ schema: { type: "nonsense" } })).toEqual(["/schema/type"]);
  expect(await refused({ schema: { type: "object", required: ["a"] }, example: {} })).toEqual(["/example/a"]);
  await expect(events.types.remove("default", "t")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a replay tells first, then starts only what had not started, however often", async () => {
  const clock = manualClock();
  const { define, events, store, started } = await anEventProcess({ clock });
  await define({ id: "early", triggers: [onPaid()] });
  for (const id of ["1", "2", "3"]) {
    await events.ingest.take("default", paid({ id }), take);
    clock.advance(1);
  }
  await define({ id: "late", triggers: [onPaid({ condition: "event.id != '2'" })] });
  const replay = (options: object) =>
    replayPage(
      { store: store.received, ingest: events.ingest },
      "default",
      { type: "shop.paid", pageSize: 10 },
      { dryRun: true, ...options },
    );
  const told = await replay({});
  expect(told.starts).toBe(2);
  expect(told.events.map(({ eventId, outcomes }) => [eventId, ...statuses(outcomes).toSorted()])).toEqual([
    ["1", "early DUPLICATE", "late STARTED"],
    ["2", "early DUPLICATE", "late SKIPPED"],
    ["3", "early DUPLICATE", "late STARTED"],
  ]);
  expect(await started()).toHaveLength(3);
  expect((await replay({ dryRun: false, workflowId: "early" })).starts).toBe(0);
  expect((await replay({ dryRun: false })).starts).toBe(2);
  expect((await replay({ dryRun: false })).starts).toBe(0);
  expect(await started()).toHaveLength(5);
  expect((await store.received.list("default", { eventId: "1", pageSize: 1 })).items[0]?.result.outcomes).toHaveLength(2);
});

test("a replay with a key of its own starts everything once more, once for each key", async () => {
  const { define, events, store, started } = await anEventProcess({ clock: manualClock() });
  await define({ id: "ship", triggers: [onPaid(), onPaid({ id: "keyed", dedupeKey: "event.data.order" })] });
  await events.ingest.take("default", paid(), take);
  const again = (key: string) =>
    replayPage({ store: store.received, ingest: events.ingest }, "default", { pageSize: 10 }, { dryRun: false, again: key });
  expect((await again("fix-1")).starts).toBe(1);
  expect((await again("fix-1")).starts).toBe(0);
  expect((await again("fix-2")).starts).toBe(1);
  expect(await started()).toHaveLength(4);
});

test("a replay goes from page to page, each oldest first", async () => {
  const clock = manualClock();
  const { events, store } = await anEventProcess({ clock });
  for (const id of ["1", "2", "3", "4", "5"]) {
    await events.ingest.take("default", paid({ id }), take);
    clock.advance(1_000);
  }
  const pages: string[][] = [];
  let pageToken: string | undefined;
  do {
    const page = await replayPage(
      { store: store.received, ingest: events.ingest },
      "default",
      { pageSize: 2, pageToken },
      { dryRun: false },
    );
    pages.push(page.events.map(({ eventId }) => eventId));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  expect(pages).toEqual([["4", "5"], ["2", "3"], ["1"]]);
});
