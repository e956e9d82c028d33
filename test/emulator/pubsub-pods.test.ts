import { PubSub } from "@google-cloud/pubsub";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { FirestoreStore } from "../../src/adapters/firestore/store.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import { freePort, type Child } from "../e2e/support/child.ts";
import { startServiceOn } from "../e2e/support/service.ts";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { emulated, newProject, openTestStore } from "./projects.ts";

const { tenant } = LOCAL_PRINCIPAL;
// Two services, two emulators and this test share two cores.
const PATIENT = { timeout: 60_000, interval: 100 };
/** Messages of a killed process come again after the acknowledgement deadline (30 s) and the shortest back-off (1 s). */
const REDELIVERED = { timeout: 120_000, interval: 200 };

describe.runIf(emulated)("two processes behind Pub/Sub", () => {
  let project: string;
  let proxy: FaultProxy;
  let pods: Child[];
  let store: FirestoreStore;
  let client: PubSub;
  /** Workflows by the event type that starts them. */
  const workflows = new Map<string, string>();

  beforeAll(async () => {
    project = newProject();
    proxy = await startFaultProxy(inject("emulators")?.pubsub ?? "");
    store = openTestStore(project);
    client = new PubSub({ projectId: project });
    pods = [];
    for (let n = 0; n < 2; n += 1) {
      const env = {
        FIRESTORE_EMULATOR_HOST: inject("emulators")?.firestore ?? "",
        PUBSUB_EMULATOR_HOST: proxy.address,
        METADATA_SERVER_DETECTION: "none",
        SIGNALBOX_QUEUE: `pubsub:${project}`,
        SIGNALBOX_EVENTS: `pubsub:${project}`,
      };
      pods.push(startServiceOn({ port: await freePort(), store: `firestore:${project}`, env }));
    }
    await Promise.all(pods.map((pod) => pod.ready()));
    for (const type of ["test.repeated", "test.parked", "test.away", "test.many", "test.pushed"]) workflows.set(type, await listenTo(type));
  }, 90_000);
  afterAll(async () => {
    proxy.set("pass");
    await Promise.all(pods.map((pod) => pod.stop()));
    await client.close();
    await store.close();
    await proxy[Symbol.asyncDispose]();
  }, 60_000);

  async function call(pod: Child | undefined, route: string, body: unknown): Promise<{ id: string }> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${pod?.baseUrl}/api/v1${route}`, { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${route}: ${response.status} ${answer}`);
    return JSON.parse(answer) as { id: string }; // every resource has one
  }

  /** A workflow that is started by events of a type of its own. */
  async function listenTo(eventType: string): Promise<string> {
    const { id } = await call(pods[0], "/workflows", {
      name: eventType,
      status: "active",
      triggers: [{ type: "event", config: { eventType, schema: { type: "object", required: ["n"] } } }],
      steps: [{ id: "s", name: "s", type: "transform", config: { set: {} }, nextSteps: [] }],
    });
    return id;
  }

  async function completed(eventType: string): Promise<number> {
    const id = workflows.get(eventType) ?? "";
    return (await store.executions.stats(tenant, [id])).get(id)?.completed ?? 0;
  }

  async function publish(attributes: Record<string, string>, json: unknown): Promise<void> {
    await client.topic("signalbox-events").publishMessage({ attributes, data: Buffer.from(JSON.stringify(json)) });
  }

  const ceAttributes = (type: string, id: string) => ({ "ce-specversion": "1.0", "ce-id": id, "ce-source": "/test", "ce-type": type });

  test("an event that comes twenty times starts once, whoever takes it", { timeout: 90_000 }, async () => {
    // The events (a CloudEvent's three forms) that come once show that the others have been seen as well.
    const same = Array.from({ length: 20 }, () => publish(ceAttributes("test.repeated", "same"), { n: 0 }));
    const others = Array.from({ length: 10 }, (_, n) => [
      publish(ceAttributes("test.repeated", `binary-${n}`), { n }),
      publish({}, { specversion: "1.0", id: `structured-${n}`, source: "/test", type: "test.repeated", data: { n } }),
      publish({ type: "test.repeated", source: "/test" }, { n }),
    ]);
    await Promise.all([...same, ...others.flat()]);
    await expect.poll(() => completed("test.repeated"), PATIENT).toBe(31);
  });

  test("what never can be taken is parked with its reason, and good events flow", { timeout: 90_000 }, async () => {
    const topic = client.topic("signalbox-events");
    await topic.publishMessage({ data: Buffer.from("{not json") });
    await publish({}, { hello: "no type" });
    await publish({}, { specversion: "1.0", type: "test.parked", source: "/test" });
    await publish(ceAttributes("test.parked", "no-n"), { m: 1 });
    await topic.publishMessage({ data: Buffer.alloc(1_100_000, "1"), attributes: { type: "test.parked", kept: "yes" } });
    await publish(ceAttributes("test.parked", "good"), { n: 1 });
    const parked = async () => (await store.parked.list(tenant, { status: "PARKED", pageSize: 50 })).items;
    const codes = async () => (await parked()).map(({ code }) => code).toSorted();
    await expect.poll(codes, PATIENT).toEqual(["INVALID_INPUT", "INVALID_INPUT", "INVALID_INPUT", "MALFORMED_JSON", "TOO_LARGE"]);
    await expect.poll(() => completed("test.parked"), PATIENT).toBe(1);
    expect((await parked()).find(({ attributes }) => attributes["kept"] === "yes")).toMatchObject({ bytes: 1_100_000, isTruncated: true });
    const refused = (await parked()).find(({ attributes }) => attributes["ce-id"] === "no-n");
    expect(await call(pods[0], `/parked-events/${refused?.id}/redrive`, { data: JSON.stringify({ n: 2 }) })).toMatchObject({
      status: "REDRIVEN",
    });
    await expect.poll(() => completed("test.parked"), PATIENT).toBe(2);
  });

  test("a push subscription's messages start executions once, and a bad one is acknowledged", { timeout: 90_000 }, async () => {
    const id = workflows.get("test.pushed") ?? "";
    const [topic] = await client.createTopic("orders");
    await client.createSubscription(topic, "orders-pushed", { pushConfig: { pushEndpoint: `${pods[0]?.baseUrl}/push/pubsub` } });
    const attributes = { type: "test.pushed", source: "/test", id: "pushed" };
    await Promise.all(Array.from({ length: 5 }, () => topic.publishMessage({ json: { n: 1 }, attributes })));
    await topic.publishMessage({ data: Buffer.from("{"), attributes });
    await topic.publishMessage({ json: { n: 2 }, attributes: { ...attributes, id: "pushed-2" } });
    await expect.poll(() => completed("test.pushed"), PATIENT).toBe(2);
    const pushed = async () => (await store.parked.list(tenant, { pageSize: 50 })).items.filter(({ via }) => via === "push");
    await expect.poll(async () => (await pushed()).map(({ code }) => code), PATIENT).toEqual(["MALFORMED_JSON"]);
    expect((await store.executions.list(tenant, { workflowId: id, pageSize: 10 })).items).toHaveLength(2);
  });

  test("executions start and complete while Pub/Sub is away", { timeout: 90_000 }, async () => {
    const id = workflows.get("test.away");
    proxy.set("refuse");
    const began = performance.now();
    for (let n = 0; n < 20; n += 1) await call(pods[n % 2], `/workflows/${id}/execute`, { input: {} });
    const startedMs = performance.now() - began;
    await expect.poll(() => completed("test.away"), PATIENT).toBe(20);
    console.log(
      `20 starts without Pub/Sub took ${Math.round(startedMs)} ms, all were done ${Math.round(performance.now() - began)} ms after the first`,
    );
    proxy.set("pass");
    await publish(ceAttributes("test.away", "back"), { n: 1 });
    await expect.poll(() => completed("test.away"), PATIENT).toBe(21);
  });

  test("500 events start 500 executions although a process is killed in between", { timeout: 180_000 }, async () => {
    const began = performance.now();
    const published = Promise.all(Array.from({ length: 500 }, (_, n) => publish(ceAttributes("test.many", `many-${n}`), { n })));
    await expect.poll(() => completed("test.many"), { timeout: 60_000, interval: 10 }).toBeGreaterThan(50);
    await pods[1]?.kill();
    const atKill = await completed("test.many");
    await published;
    await expect.poll(() => completed("test.many"), REDELIVERED).toBe(500);
    console.log(
      `500 of 500 completed ${Math.round(performance.now() - began)} ms after the first was published; ${atKill} when one of two processes was killed`,
    );
    expect(atKill).toBeLessThan(500);
    expect(await completed("test.repeated")).toBe(31);
  });
});
