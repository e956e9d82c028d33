import { expect } from "vitest";
import { ASK, ROUTE, TALK } from "./definitions.ts";
import type { ApiClient } from "./support.ts";

/** One of each kind that somebody has to look after. */
const CHORES = {
  failing: [{ id: "s", type: "cut_off" }],
  unsure: [{ id: "s", type: "cut_off", effect: "once" }],
  handed: [{ id: "s", type: "task", config: { queue: "q" } }],
};

/** An id by the first word of the routes that take it. */
export type Things = Record<string, string>;

/** Makes one of everything the API can show. The process must know the steps of `test/api/steps`. */
export async function makeThings(
  api: ApiClient,
  { tenant, headers }: { tenant: string; headers?: Record<string, string> },
): Promise<Things> {
  const as = headers === undefined ? {} : { headers };
  const define = (body: object) => api.call("POST /api/v1/workflows", { body, ...as });
  const run = async (id: string, input: object, wait = "?wait=10s") =>
    (await api.call<{ id: string }>(`POST /api/v1/workflows/${id}/execute${wait}`, { body: { input }, ...as })).body.id;
  const first = async (url: string) => (await api.call<{ items: { id: string }[] }>(`GET ${url}`, as)).body.items[0]?.id ?? "";
  for (const definition of [ASK, ROUTE, TALK]) await define({ ...definition, status: "active" });
  // A closed port of this machine: what is to be delivered is in the log, whatever comes of it.
  await api.call("POST /api/v1/webhook-endpoints", { body: { url: "http://127.0.0.1:9/hook" }, ...as });
  for (const [id, steps] of Object.entries(CHORES)) {
    await define({ id, name: id, steps });
    await run(id, {});
  }
  const steps = [{ id: "s", type: "delay", config: { for: "1h" } }];
  await define({ id: "alone", name: "Alone", limits: { concurrency: { max: 1 } }, steps });
  await run("alone", {});
  await run("alone", {}, "");
  await api.call("PUT /api/v1/event-types/shop.paid", { body: { schema: { type: "object" } }, ...as });
  await api.call("POST /api/v1/events", { body: { specversion: "1.0", id: "1", source: "/shop", type: "shop.paid", data: {} }, ...as });
  const noEvent = { id: "m", data: Buffer.from("{"), attributes: {}, publishedAt: new Date().toISOString(), origin: "//broker/topic" };
  await api.app.events.handleMessage(tenant, noEvent, "pubsub");
  await run("talk", { customer: "ann" });
  const asked = await run("ask", { amount: 1 });
  const routed = await run("route", { message: "my invoice is wrong" });
  await expect.poll(() => first("/api/v1/webhook-deliveries"), { timeout: 10_000 }).not.toBe("");
  return {
    workflows: "ask",
    executions: asked,
    approvals: await first(`/api/v1/approvals?executionId=${asked}`),
    effects: await first("/api/v1/effects"),
    decisions: await first(`/api/v1/decisions?executionId=${routed}`),
    tasks: await first("/api/v1/tasks"),
    events: await first("/api/v1/events"),
    "event-types": "shop.paid",
    "parked-events": await first("/api/v1/parked-events"),
    "webhook-endpoints": await first("/api/v1/webhook-endpoints"),
    "webhook-deliveries": await first("/api/v1/webhook-deliveries"),
    memories: "support%2Fann",
  };
}
