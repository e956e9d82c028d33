import { describe, expect, test } from "vitest";
import { receivedIdOf, type IncomingEvent, type ParkedEvent, type ReceivedEvent } from "../../../src/definition/received-event.ts";
import { newTenant, START } from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

const DAY_MS = 86_400_000;
const at = (seconds: number) => new Date(START + seconds * 1_000).toISOString();

function received(tenant: string, event: Partial<IncomingEvent>, over: Partial<ReceivedEvent> = {}): ReceivedEvent {
  const whole: IncomingEvent = { id: "1", source: "/shop", type: "paid", data: { order: "4711", odd: [[1], "\ud800"] }, ...event };
  return {
    id: receivedIdOf(whole),
    tenant,
    event: whole,
    via: "api",
    receivedAt: at(0),
    expireAt: Date.now() + DAY_MS,
    result: { outcomes: [], woken: [] },
    ...over,
  };
}

const line = (status: "STARTED" | "REFUSED" | "SKIPPED") => ({
  workflowId: "w",
  triggerId: "t",
  status,
  executionId: status === "STARTED" ? "e" : null,
  code: null,
  reason: "r",
});

function parked(tenant: string, id: string, over: Partial<ParkedEvent> = {}): ParkedEvent {
  return {
    id,
    tenant,
    code: "MALFORMED_JSON",
    reason: "no JSON",
    via: "pubsub",
    origin: "//t",
    messageId: id,
    publishedAt: at(0),
    parkedAt: at(0),
    attributes: { type: "paid" },
    data: "e30=",
    bytes: 2,
    sha256: "00",
    isTruncated: false,
    status: "PARKED",
    settled: null,
    expireAt: Date.now() + DAY_MS,
    ...over,
  };
}

export function inboundSuite(adapter: StoreUnderTest): void {
  describe("events that came in", () => {
    const { use } = sharedStore(adapter);

    test("an event is kept once, as it first came, and only for its tenant", async () => {
      const tenant = newTenant();
      const first = received(tenant, { subject: "s", extensions: { region: "eu" } });
      expect(await use().received.add(first)).toBe(true);
      expect(await use().received.add({ ...first, receivedAt: at(9), via: "pubsub" })).toBe(false);
      expect(await use().received.get(tenant, first.id)).toEqual(first);
      expect(await use().received.get(newTenant(), first.id)).toBeUndefined();
    });

    test("of twenty who add one event at once exactly one is told so", async () => {
      const event = received(newTenant(), {});
      const added = await Promise.all(Array.from({ length: 20 }, () => use().received.add(event)));
      expect(added.filter(Boolean)).toHaveLength(1);
    });

    test("what became of it is replaced, and nothing appears for one that is not there", async () => {
      const tenant = newTenant();
      const event = received(tenant, {});
      await use().received.add(event);
      const result = { outcomes: [line("STARTED")], woken: [{ workflowId: "w", executionId: "e", stepId: "s" }] };
      await use().received.setResult(tenant, event.id, result);
      await use().received.setResult(tenant, "absent", result);
      expect(await use().received.get(tenant, event.id)).toEqual({ ...event, result });
      expect((await use().received.list(tenant, { outcome: "TAKEN", pageSize: 10 })).items).toHaveLength(1);
      expect((await use().received.list(tenant, { outcome: "IGNORED", pageSize: 10 })).items).toEqual([]);
    });

    test("a list is newest first, by any filter, in pages, and leaves out what has expired", async () => {
      const tenant = newTenant();
      const events = [
        received(tenant, { id: "a" }, { receivedAt: at(1) }),
        received(tenant, { id: "b", type: "lost" }, { receivedAt: at(2), result: { outcomes: [line("REFUSED")], woken: [] } }),
        received(tenant, { id: "c", source: "/other" }, { receivedAt: at(3), result: { outcomes: [line("STARTED")], woken: [] } }),
        received(tenant, { id: "d" }, { receivedAt: at(4), result: { outcomes: [line("SKIPPED")], woken: [] } }),
        received(tenant, { id: "old" }, { receivedAt: at(5), expireAt: Date.now() - 1 }),
      ];
      for (const event of events) await use().received.add(event);
      const ids = async (filter: object) =>
        (await use().received.list(tenant, { ...filter, pageSize: 10 })).items.map(({ event }) => event.id).join("");
      expect(await ids({})).toBe("dcba");
      expect(await ids({ type: "paid" })).toBe("dca");
      expect(await ids({ source: "/shop" })).toBe("dba");
      expect(await ids({ outcome: "REFUSED" })).toBe("b");
      expect(await ids({ outcome: "IGNORED", source: "/shop" })).toBe("da");
      expect(await ids({ type: "paid", source: "/other" })).toBe("c");
      expect(await ids({ eventId: "b" })).toBe("b");
      expect(await ids({ since: at(2), until: at(4) })).toBe("cb");
      expect(await ids({ type: "paid", since: at(2) })).toBe("dc");
      const first = await use().received.list(tenant, { pageSize: 3 });
      const second = await use().received.list(tenant, { pageSize: 3, pageToken: first.nextPageToken });
      expect([...first.items, ...second.items].map(({ event }) => event.id).join("")).toBe("dcba");
      expect(second.nextPageToken).toBeUndefined();
    });

    test("events of a topic since an instant come oldest first, in pages, by type or by type and subject", async () => {
      const tenant = newTenant();
      for (const [n, subject] of ["x", "y", undefined, "x"].entries()) {
        await use().received.add(received(tenant, { id: `${n}`, subject }, { receivedAt: at(n) }));
      }
      await use().received.add(received(tenant, { id: "other", type: "lost", subject: "x" }));
      await use().received.add(received(newTenant(), { id: "foreign" }));
      const ids = async (topic: { type: string; subject?: string }, page: object) =>
        (await use().received.since(tenant, topic, { since: at(0), limit: 10, ...page })).map(({ event }) => event.id).join("");
      expect(await ids({ type: "paid" }, {})).toBe("0123");
      expect(await ids({ type: "paid" }, { since: at(1) })).toBe("123");
      expect(await ids({ type: "paid", subject: "x" }, {})).toBe("03");
      const [first] = await use().received.since(tenant, { type: "paid" }, { since: at(0), limit: 1 });
      expect(await ids({ type: "paid" }, { after: { at: first?.receivedAt, id: first?.id } })).toBe("123");
    });

    test.runIf(adapter.openSecond)("what one handle has added, another one finds at once", async () => {
      await withSecond(adapter, use(), async (second) => {
        const tenant = newTenant();
        await use().received.add(received(tenant, {}));
        expect(await second.received.since(tenant, { type: "paid" }, { since: at(0), limit: 10 })).toHaveLength(1);
      });
    });
  });

  describe("parked events", () => {
    const { use } = sharedStore(adapter);

    test("a message is parked once and settled once, by whoever comes first", async () => {
      const tenant = newTenant();
      const message = parked(tenant, "m");
      expect(await use().parked.add(message)).toBe(true);
      expect(await use().parked.add({ ...message, reason: "again" })).toBe(false);
      expect(await use().parked.get(tenant, "m")).toEqual(message);
      const settled = { at: at(1), principal: "ann", receivedId: "r" };
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => use().parked.settle(tenant, "m", "REDRIVEN", settled)));
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      expect(await use().parked.get(tenant, "m")).toEqual({ ...message, status: "REDRIVEN", settled });
      expect(await use().parked.settle(tenant, "absent", "DISCARDED", settled)).toBe(false);
    });

    test("a list is newest first, by status and code, without what has expired", async () => {
      const tenant = newTenant();
      await use().parked.add(parked(tenant, "a", { parkedAt: at(1) }));
      await use().parked.add(parked(tenant, "b", { parkedAt: at(2), code: "TOO_LARGE" }));
      await use().parked.add(parked(tenant, "c", { parkedAt: at(3) }));
      await use().parked.add(parked(tenant, "old", { expireAt: Date.now() - 1 }));
      await use().parked.settle(tenant, "c", "DISCARDED", { at: at(4), principal: "ann", receivedId: null });
      const ids = async (filter: object) =>
        (await use().parked.list(tenant, { ...filter, pageSize: 10 })).items.map(({ id }) => id).join("");
      expect(await ids({})).toBe("cba");
      expect(await ids({ status: "PARKED" })).toBe("ba");
      expect(await ids({ code: "MALFORMED_JSON" })).toBe("ca");
      expect(await ids({ code: "MALFORMED_JSON", status: "PARKED" })).toBe("a");
      expect(await use().parked.get(tenant, "old")).toBeUndefined();
    });
  });

  describe("event types", () => {
    const { use } = sharedStore(adapter);
    const type = { type: "paid", description: null, schema: { type: "object" }, example: null, createdAt: at(0), updatedAt: at(0) };

    test("a type is created, replaced with its first date kept, listed and removed", async () => {
      const tenant = newTenant();
      await use().eventTypes.put(tenant, type);
      const changed = await use().eventTypes.put(tenant, { ...type, description: "d", createdAt: at(5), updatedAt: at(5) });
      expect(changed).toEqual({ ...type, description: "d", updatedAt: at(5) });
      await use().eventTypes.put(tenant, { ...type, type: "a/b..c", createdAt: at(1) });
      expect(await use().eventTypes.get(tenant, "paid")).toEqual(changed);
      expect((await use().eventTypes.list(tenant, { pageSize: 10 })).items.map((each) => each.type)).toEqual(["a/b..c", "paid"]);
      expect(await use().eventTypes.remove(tenant, "paid")).toBe(true);
      expect(await use().eventTypes.remove(tenant, "paid")).toBe(false);
      expect(await use().eventTypes.get(newTenant(), "a/b..c")).toBeUndefined();
    });
  });
}
