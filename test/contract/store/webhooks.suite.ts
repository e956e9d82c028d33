import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { WebhookDelivery, WebhookEndpoint } from "../../../src/definition/webhook.ts";
import { at, newTenant, START } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

/** Long after now: what has expired may go as others come. */
const LATER = Date.now() + 86_400_000;

function anEndpoint(over: Partial<WebhookEndpoint> & { tenant: string }): WebhookEndpoint {
  return {
    id: randomUUID(),
    url: "https://receiver.example",
    description: "",
    eventTypes: ["*"],
    workflowIds: null,
    condition: null,
    enabled: true,
    disabledReason: null,
    secrets: ["whsec_AA=="],
    failingSince: null,
    revision: 1,
    createdAt: at(0),
    updatedAt: at(0),
    ...over,
  };
}

function aDelivery(over: Partial<WebhookDelivery> & { tenant: string }): WebhookDelivery {
  return {
    id: randomUUID(),
    endpointId: "e",
    eventId: "x/1",
    eventType: "dev.signalbox.execution.completed",
    executionId: "x",
    workflowId: "w",
    body: "{}",
    traceparent: "00-a-b-01",
    status: "pending",
    attempts: [],
    attemptCount: 0,
    tries: 0,
    nextAt: START,
    createdAt: at(0),
    revision: 1,
    expireAt: LATER,
    ...over,
  };
}

export function webhooksSuite(adapter: StoreUnderTest): void {
  describe("webhooks", () => {
    const { use } = sharedStore(adapter);

    test("endpoints are read back as they were, newest first, and go when removed", async () => {
      const tenant = newTenant();
      const [old, young] = [anEndpoint({ tenant }), anEndpoint({ tenant, createdAt: at(1) })];
      for (const endpoint of [old, young]) expect(await use().webhooks.putEndpoint(endpoint, null)).toBe(true);
      expect(await use().webhooks.endpoint(tenant, old.id)).toEqual(old);
      expect(await use().webhooks.endpoints(tenant)).toEqual([young, old]);
      expect(await use().webhooks.endpoints(newTenant())).toEqual([]);
      expect(await use().webhooks.removeEndpoint(tenant, old.id)).toBe(true);
      expect(await use().webhooks.removeEndpoint(tenant, old.id)).toBe(false);
      expect(await use().webhooks.endpoint(tenant, old.id)).toBeUndefined();
    });

    test("only a write based on the present revision counts", async () => {
      const tenant = newTenant();
      const endpoint = anEndpoint({ tenant });
      await use().webhooks.putEndpoint(endpoint, null);
      expect(await use().webhooks.putEndpoint(endpoint, null)).toBe(false);
      const writes = await Promise.all([2, 2, 2].map((revision) => use().webhooks.putEndpoint({ ...endpoint, revision }, 1)));
      expect(writes.filter(Boolean)).toHaveLength(1);
      expect(await use().webhooks.putEndpoint({ ...endpoint, id: "none", revision: 2 }, 1)).toBe(false);
    });

    test("a delivery is made once; of those who try at once one has it", async () => {
      const tenant = newTenant();
      const delivery = aDelivery({ tenant });
      const made = await Promise.all([1, 2, 3].map(() => use().webhooks.putDelivery(delivery, null)));
      expect(made.filter(Boolean)).toHaveLength(1);
      const taken = await Promise.all([1, 2, 3].map((n) => use().webhooks.putDelivery({ ...delivery, revision: 2, nextAt: START + n }, 1)));
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await use().webhooks.delivery(tenant, delivery.id)).toMatchObject({ revision: 2 });
    });

    test("due are those with nextAt up to then, earliest first", async () => {
      const tenant = newTenant();
      for (const [id, nextAt] of [
        ["c", 30],
        ["a", 10],
        ["never", null],
        ["b", 20],
      ] as const)
        await use().webhooks.putDelivery(aDelivery({ tenant, id, nextAt: nextAt === null ? null : START + nextAt }), null);
      const dueIds = async (before: number) =>
        (await use().webhooks.due(before, 1_000)).filter((one) => one.tenant === tenant).map(({ id }) => id);
      expect(await dueIds(START + 20)).toEqual(["a", "b"]);
      expect(await dueIds(START + 9)).toEqual([]);
    });

    test("the log is listed by endpoint and status, newest first, in pages", async () => {
      const tenant = newTenant();
      for (let n = 0; n < 6; n += 1) {
        const over = {
          id: `d${n}`,
          createdAt: at(n),
          endpointId: n % 2 === 0 ? "even" : "odd",
          status: n < 3 ? "failed" : "delivered",
        } as const;
        await use().webhooks.putDelivery(aDelivery({ tenant, ...over }), null);
      }
      const ids = async (query: object) => (await use().webhooks.deliveries(tenant, { pageSize: 10, ...query })).items.map(({ id }) => id);
      expect(await ids({})).toEqual(["d5", "d4", "d3", "d2", "d1", "d0"]);
      expect(await ids({ endpointId: "even" })).toEqual(["d4", "d2", "d0"]);
      expect(await ids({ status: "failed" })).toEqual(["d2", "d1", "d0"]);
      expect(await ids({ endpointId: "even", status: "failed" })).toEqual(["d2", "d0"]);
      const first = await use().webhooks.deliveries(tenant, { pageSize: 4 });
      const rest = await use().webhooks.deliveries(tenant, { pageSize: 4, pageToken: first.nextPageToken });
      expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(["d5", "d4", "d3", "d2", "d1", "d0"]);
    });
  });
}
