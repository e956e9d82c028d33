import { randomUUID } from "node:crypto";
import path from "node:path";
import { PubSub } from "@google-cloud/pubsub";
import { openFirestoreStore } from "../../../src/adapters/firestore/store.ts";
import { LOCAL_PRINCIPAL } from "../../../src/definition/access.ts";
import { systemClock } from "../../../src/ports/clock.ts";
import { pause, ROOT } from "../support/child.ts";
import { startPod, type EmulatorHosts } from "../support/emulators.ts";
import { startMortalPods } from "../support/mortal-pods.ts";

const TYPE = "flood.event";
const WORKFLOW = "flood";
/** Every tenth event is published twice, as a publisher that lost an answer does. */
export const TWICE_EVERY = 10;
/** The emulator answers each query by looking at every document it has, tens of thousands here: who asks every second is what it is busy with. */
const LOOK_EVERY_MS = 15_000;
/** How often the processes look for lost work. */
const SWEEP_MS = 10_000;
const PUBLISH_EVERY_MS = 500;
/** So long without another completed execution: nothing will come any more. What a killed process held comes again after ten to thirty seconds. */
const SILENCE_MS = 180_000;
const { tenant } = LOCAL_PRINCIPAL;

export interface FloodOptions {
  hosts: EmulatorHosts;
  events: number;
  pods: number;
  killEveryMs: number;
  /**
   * Events a second. The emulator hands all there is to one stream, whatever that says it wants, and what a killed process was handed comes
   * again ten seconds later: a flood beyond what the processes bear only measures that.
   */
  rate: number;
  longestMs: number;
  /** `ack`: messages are acknowledged before anything is durable. `ids`: events have no ids of their own. Each must show. */
  broken?: "ack" | "ids" | undefined;
  onProgress(line: string): void;
}

export interface FloodResult {
  executions: number;
  /** Events without a completed execution, and those with several executions. */
  lost: number;
  doubled: number;
  kills: number;
  /** Between two kills, milliseconds. */
  killedEveryMs: number;
  publishedMs: number;
  tookMs: number;
  /** False: the time was over before everything was done. */
  isDone: boolean;
}

/** Publishes events that start one execution each, while one process after the other is killed; then counts what became of each event. */
export async function flood({
  hosts,
  events,
  pods: podCount,
  killEveryMs,
  rate,
  longestMs,
  broken,
  onProgress,
}: FloodOptions): Promise<FloodResult> {
  const project = `demo-flood-${randomUUID()}`;
  const store = openFirestoreStore({ project, clock: systemClock, ownerId: "flood" });
  const client = new PubSub({ projectId: project });
  const topic = client.topic("signalbox-events", { batching: { maxMessages: 100, maxMilliseconds: 10 } });
  const preload = broken === "ack" ? path.join(ROOT, "test", "e2e", "flood", "ack-early.ts") : undefined;
  const stats = async () => (await store.executions.stats(tenant, [WORKFLOW])).get(WORKFLOW);
  try {
    await using pods = await startMortalPods(podCount, () =>
      startPod({ hosts, project, preload, env: { SIGNALBOX_SWEEP_MS: String(SWEEP_MS) } }),
    );
    await define(pods.at(0).baseUrl);
    const began = Date.now();
    let next = began;
    pods.torment(() => (next = Math.max(Date.now(), next + killEveryMs)));
    let published = 0;
    let publishedMs = Number.NaN;
    let completed = 0;
    let lookedAt = 0;
    let changedAt = began;
    const isOver = () => completed >= events || Date.now() - began >= longestMs || Date.now() - changedAt >= SILENCE_MS;
    while (!isOver()) {
      const due = Math.min(events, Math.ceil(((Date.now() - began) / 1_000) * rate));
      if (due > published) await publish(published, due - published);
      published = due;
      if (published >= events && Number.isNaN(publishedMs)) publishedMs = Date.now() - began;
      await pause(PUBLISH_EVERY_MS);
      if (Date.now() - lookedAt < LOOK_EVERY_MS) continue;
      lookedAt = Date.now();
      // An emulator that is busy may not answer in time: that is no silence, and the next look tells.
      const now = (await stats().catch(() => undefined))?.completed;
      if (now !== completed) changedAt = Date.now();
      completed = now ?? completed;
      onProgress(`${Math.round((lookedAt - began) / 1_000)} s: ${published} published, ${completed} completed, ${pods.kills.length} kills`);
    }
    const tookMs = Date.now() - began;
    await pods.relent();
    const { lost, doubled } = await audit();
    const killedEveryMs = ((pods.kills.at(-1) ?? 0) - (pods.kills[0] ?? 0)) / Math.max(1, pods.kills.length - 1);
    const executions = (await stats())?.total ?? 0;
    return { executions, lost, doubled, kills: pods.kills.length, killedEveryMs, publishedMs, tookMs, isDone: completed >= events };
  } finally {
    await client.close();
    await store.close();
  }

  async function define(baseUrl: string): Promise<void> {
    const response = await fetch(`${baseUrl}/api/v1/workflows`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        id: WORKFLOW,
        name: "Flood",
        triggers: [{ type: "event", config: { eventType: TYPE } }],
        steps: [{ id: "s", type: "transform", config: { set: { n: "${ input.n }" } } }],
      }),
    });
    if (!response.ok) throw new Error(`The workflow was refused: ${await response.text()}`);
  }

  async function publish(from: number, count: number): Promise<void> {
    const some = Array.from({ length: count }, (_, index) => from + index);
    const copies = some.flatMap((n) => (n % TWICE_EVERY === 0 ? [n, n] : [n]));
    await Promise.all(
      copies.map((n) =>
        topic.publishMessage({
          json: { n },
          attributes: { type: TYPE, source: "/flood", ...(broken !== "ids" && { id: `flood-${n}` }) },
        }),
      ),
    );
  }

  async function audit(): Promise<Pick<FloodResult, "lost" | "doubled">> {
    const seen = new Map<number, string[]>();
    let pageToken: string | undefined;
    do {
      const page = await store.executions.list(tenant, { workflowId: WORKFLOW, pageSize: 200, pageToken });
      for (const { input, status } of page.items) {
        const n = Number(input["n"]);
        seen.set(n, [...(seen.get(n) ?? []), status]);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    const lost = Array.from({ length: events }, (_, n) => n).filter((n) => !seen.get(n)?.includes("COMPLETED")).length;
    return { lost, doubled: [...seen.values()].filter(({ length }) => length > 1).length };
  }
}
