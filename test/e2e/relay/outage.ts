import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PubSub, type Message } from "@google-cloud/pubsub";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { freePort, type Child } from "../support/child.ts";
import { startService } from "../support/service.ts";

/** How long events may take to come once Pub/Sub is there again, milliseconds. */
const PATIENCE_MS = 90_000;
const LOOK_EVERY_MS = 50;

export interface OutageOptions {
  /** Address of the Pub/Sub emulator. */
  pubsub: string;
  project: string;
  /** Executions of each phase: before the outage, during it, and while the process is killed. */
  executions: number;
  outageMs: number;
}

export interface OutageResult {
  started: number;
  /** Completed while Pub/Sub was away, of those started then. */
  completedWhileAway: number;
  /** Events that should have come, that came, and copies among them. */
  expected: number;
  received: number;
  copies: number;
  /** What is wrong, in words. */
  faults: string[];
  /** From the return of Pub/Sub until the last event was there, milliseconds. */
  catchUpMs: number;
}

interface Received {
  executionId: string;
  seq: number;
  id: string;
  text: string;
}

/**
 * Pub/Sub goes away while executions start over REST; then its answers get lost and the process is killed, which is a kill between
 * publishing and noting it. Afterwards every lifecycle event must have been published, in order of `seq` once copies are left out.
 */
export async function pubsubOutage({ pubsub, project, executions, outageMs }: OutageOptions): Promise<OutageResult> {
  const folder = await mkdtemp(path.join(tmpdir(), "signalbox-outage-"));
  await using proxy = await startFaultProxy(pubsub);
  const port = await freePort();
  const env = {
    PUBSUB_EMULATOR_HOST: proxy.address,
    METADATA_SERVER_DETECTION: "none",
    SIGNALBOX_EVENTS_OUT: `pubsub:${project}`,
    SIGNALBOX_SWEEP_MS: "200",
    SIGNALBOX_LEASE_MS: "3000",
    SIGNALBOX_LOG: "info",
  };
  const boot = async (): Promise<Child> => {
    const child = startService({ port, database: path.join(folder, "signalbox.db"), env });
    await child.ready();
    return child;
  };
  Object.assign(process.env, { PUBSUB_EMULATOR_HOST: pubsub, METADATA_SERVER_DETECTION: "none" });
  const client = new PubSub({ projectId: project });
  const received: Received[] = [];
  let pod = await boot();

  async function call<T>(method: string, route: string, body?: unknown): Promise<T> {
    const init = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`${pod.baseUrl}/api/v1${route}`, { method, ...init });
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T; // the service's own answer
  }

  async function startSome(workflowId: string): Promise<string[]> {
    const ids: string[] = [];
    for (let n = 0; n < executions; n += 1)
      ids.push((await call<{ id: string }>("POST", `/workflows/${workflowId}/execute`, { input: { n } })).id);
    return ids;
  }

  const statusesOf = async (ids: string[]): Promise<string[]> =>
    await Promise.all(ids.map(async (id) => (await call<{ status: string }>("GET", `/executions/${id}`)).status));

  async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
      if (await isSo()) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    throw new Error(`Waited in vain: ${what}. ${pod.output}`);
  }

  try {
    const topic = client.topic("signalbox-lifecycle");
    const [subscription] = await topic.createSubscription("watcher", { enableMessageOrdering: true });
    subscription.on("message", (message: Message) => {
      received.push(readMessage(message));
      message.ack();
    });
    const { id: workflowId } = await call<{ id: string }>("POST", "/workflows", {
      name: "outage",
      status: "active",
      steps: ["a", "b", "c"].map((id, n, all) => ({
        id,
        type: "transform",
        config: { set: { n: "${ input.n }" } },
        nextSteps: all.slice(n + 1, n + 2),
      })),
    });
    const allCompleted = async (ids: string[]): Promise<boolean> => (await statusesOf(ids)).every((status) => status === "COMPLETED");

    const before = await startSome(workflowId);
    proxy.set("refuse");
    const wentAwayAt = Date.now();
    const during = await startSome(workflowId);
    await until(async () => await allCompleted(during), "executions complete while Pub/Sub is away");
    const completedWhileAway = (await statusesOf(during)).filter((status) => status === "COMPLETED").length;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, outageMs - (Date.now() - wentAwayAt))));

    proxy.set("pass");
    const backAt = Date.now();
    await until(async () => await isWhole([...before, ...during]), "the events of the outage");
    const catchUpMs = Date.now() - backAt;

    // What is published arrives, and nobody hears that it did.
    proxy.set("swallow");
    const killed = await startSome(workflowId);
    await until(async () => received.some(({ executionId }) => killed.includes(executionId)), "an event that nobody noted");
    await pod.kill();
    proxy.set("pass");
    pod = await boot();

    const ids = [...before, ...during, ...killed];
    await until(async () => await allCompleted(ids), "all executions complete");
    // What is missing then is told below.
    await until(async () => await isWhole(ids), "every event to come").catch(() => {});
    const expected = new Map(await Promise.all(ids.map(async (id) => [id, await lifecycleOf(id)] as const)));
    await subscription.close();
    return {
      started: ids.length,
      completedWhileAway,
      expected: [...expected.values()].flat().length,
      received: received.length,
      copies: received.length - new Set(received.map(({ id }) => id)).size,
      faults: faultsOf(expected, received),
      catchUpMs,
    };
  } finally {
    proxy.set("pass");
    await pod.stop();
    await client.close();
    await rm(folder, { recursive: true, force: true });
  }

  async function isWhole(ids: readonly string[]): Promise<boolean> {
    const lists = await Promise.all(ids.map(lifecycleOf));
    return ids.every((id, n) => lists[n]?.length === new Set(received.filter((one) => one.executionId === id).map(({ seq }) => seq)).size);
  }

  async function lifecycleOf(id: string): Promise<number[]> {
    const { items } = await call<{ items: { seq: number; type: string }[] }>("GET", `/executions/${id}/events?limit=200`);
    return items.filter(({ type }) => /^execution\.(?!claimed)/.test(type)).map(({ seq }) => seq);
  }
}

function readMessage({ attributes, data, orderingKey }: Message): Received {
  const { "ce-seq": seq, "ce-id": id = "" } = attributes;
  return { executionId: orderingKey ?? "", seq: Number(seq), id, text: JSON.stringify([attributes, data.toString("utf8")]) };
}

/** Missing events, first copies out of order, and copies that differ. */
function faultsOf(expected: ReadonlyMap<string, number[]>, received: readonly Received[]): string[] {
  const faults: string[] = [];
  const texts = new Map<string, string>();
  for (const { id, text } of received) {
    if ((texts.get(id) ?? text) !== text) faults.push(`two events have the id ${id}`);
    texts.set(id, text);
  }
  const byExecution = Map.groupBy(received, ({ executionId }) => executionId);
  for (const [id, seqs] of expected) {
    const firsts = [...new Set((byExecution.get(id) ?? []).map(({ seq }) => seq))];
    if (firsts.join() !== seqs.join()) faults.push(`${id}: ${firsts.join()} came, ${seqs.join()} happened`);
  }
  return faults;
}
