import { randomUUID } from "node:crypto";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { PubSub } from "@google-cloud/pubsub";
import type { Pool } from "undici";
import { ROOT, type Child } from "../../test/e2e/support/child.ts";
import { startPod, type EmulatorHosts } from "../../test/e2e/support/emulators.ts";
import { listenerOn } from "../measure/listener.ts";
import { connect, getJson, postJson } from "../http.ts";

const LOOK_EVERY_MS = 50;
const LONGEST_MS = 300_000;
const PAGE = 200;

/** One process that serves the API and some that take events and run what they start, on a project of their own. */
export interface Cluster extends AsyncDisposable {
  http: Pool;
  workers: readonly Child[];
  /** Processes of the emulators, as far as the kernel tells. */
  emulators: readonly number[];
  /** Publishes events of the type that starts the workflow `id`; resolves when Pub/Sub has them. */
  publish(id: string, data: Record<string, number>): Promise<void>;
  /** Writes workflows, each started by events of a type of its own name, and waits until every process knows them. */
  define(workflows: readonly { id: string; steps: readonly unknown[] }[]): Promise<void>;
  /** Resolves when `count` executions of the workflow have completed. */
  completed(id: string, count: number): Promise<void>;
  executions(id: string): Promise<Ran[]>;
}

/** An execution as the API tells of it. */
export interface Ran {
  input: { sentAt: number };
  createdAt: string;
  startedAt: string;
  endedAt: string;
}

export interface ClusterOptions {
  hosts: EmulatorHosts;
  workers: number;
  env?: Record<string, string>;
}

export async function startCluster({ hosts, workers: count, env }: ClusterOptions): Promise<Cluster> {
  const project = `demo-${randomUUID()}`;
  const common = { SIGNALBOX_LOG: "silent", SIGNALBOX_STEPS: path.join(ROOT, "bench", "steps"), BENCH_LEDGER: "/dev/null", ...env };
  const start = (role: string) => startPod({ hosts, project, env: { ...common, SIGNALBOX_ROLE: role } });
  const api = await start("api");
  const workers: Child[] = [];
  const client = new PubSub({ projectId: project });
  // Each at once: a publisher that waits for company would be what is measured.
  const topic = client.topic("signalbox-events", { batching: { maxMessages: 1 } });
  const http = connect(api.baseUrl, 8);
  async function end(): Promise<void> {
    await http.destroy();
    await client.close();
    await Promise.all([api, ...workers].map((child) => child.kill()));
  }
  try {
    for (let n = 0; n < count; n += 1) workers.push(await start("worker"));
    await Promise.all([api, ...workers].map((child) => child.ready()));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    http,
    workers,
    emulators: [hosts.FIRESTORE_EMULATOR_HOST, hosts.PUBSUB_EMULATOR_HOST].flatMap((host) => listenerOn(host) ?? []),
    async publish(id, data) {
      const attributes = { type: id, source: "/bench", id: randomUUID() };
      await topic.publishMessage({ json: data, attributes });
    },
    async define(workflows) {
      for (const { id, steps } of workflows)
        await postJson(http, "/api/v1/workflows", { id, name: id, steps, triggers: [{ type: "event", config: { eventType: id } }] });
    },
    async completed(id, wanted) {
      for (const until = Date.now() + LONGEST_MS; Date.now() < until; await pause(LOOK_EVERY_MS)) {
        const { executionStats } = (await getJson(http, `/api/v1/workflows/${id}`)) as { executionStats: { completed: number } };
        if (executionStats.completed >= wanted) return;
      }
      throw new Error(`Not all of ${wanted} executions of ${id} were over within ${LONGEST_MS} ms.`);
    },
    async executions(id) {
      const all: Ran[] = [];
      for (let token: string | undefined = ""; token !== undefined;) {
        const query: string = `workflowId=${id}&pageSize=${PAGE}${token === "" ? "" : `&pageToken=${encodeURIComponent(token)}`}`;
        const page = (await getJson(http, `/api/v1/executions?${query}`)) as { items: Ran[]; nextPageToken?: string };
        all.push(...page.items);
        token = page.nextPageToken;
      }
      return all;
    },
    [Symbol.asyncDispose]: end,
  };
}
