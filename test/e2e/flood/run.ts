import { parseArgs } from "node:util";
import { PubSub } from "@google-cloud/pubsub";
import { missingJava, startEmulators } from "../../../scripts/emulators/start.ts";
import { openFirestoreStore } from "../../../src/adapters/firestore/store.ts";
import { LOCAL_PRINCIPAL } from "../../../src/definition/access.ts";
import { systemClock } from "../../../src/ports/clock.ts";
import { freePort, type Child } from "../support/child.ts";
import { startServiceOn } from "../support/service.ts";

// npm run flood -- --events 5000 --kill-every 5
const { values } = parseArgs({
  options: {
    events: { type: "string", default: "5000" },
    "kill-every": { type: "string", default: "5" },
    pods: { type: "string", default: "2" },
  },
});
const [events, killEveryMs, podCount] = [Number(values.events), Number(values["kill-every"]) * 1_000, Number(values.pods)];
if (![events, killEveryMs, podCount].every((value) => Number.isSafeInteger(value) && value > 0)) {
  console.error("--events, --kill-every (seconds) and --pods are whole numbers.");
  process.exit(2);
}
const TYPE = "flood.event";
const WORKFLOW = "flood";
const TOPIC = "signalbox-events";
/** Every tenth event is published twice, as a publisher that lost an answer does. */
const TWICE_EVERY = 10;
const LONGEST_MS = 30 * 60_000;

const problem = await missingJava();
if (problem) {
  console.error(`Emulators cannot run: ${problem}.`);
  process.exit(69);
}
const emulators = await startEmulators({ ports: "free" });
Object.assign(process.env, emulators.environment);
const project = `demo-flood-${Date.now().toString(36)}`;
const store = openFirestoreStore({ project, clock: systemClock, ownerId: "flood" });
const client = new PubSub({ projectId: project });
const pods: Child[] = [];
let kills = 0;

async function startPod(): Promise<Child> {
  const names = ["FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "METADATA_SERVER_DETECTION"];
  const env = Object.fromEntries(names.map((name) => [name, process.env[name] ?? "none"]));
  const broker = `pubsub:${project}`;
  return startServiceOn({
    port: await freePort(),
    store: `firestore:${project}`,
    env: { ...env, SIGNALBOX_QUEUE: broker, SIGNALBOX_EVENTS: broker },
  });
}

async function define(pod: Child | undefined): Promise<void> {
  const response = await fetch(`${pod?.baseUrl}/api/v1/workflows`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      id: WORKFLOW,
      name: "Flood",
      status: "active",
      triggers: [{ type: "event", config: { eventType: TYPE } }],
      steps: [{ id: "s", type: "transform", config: { set: { n: "${ input.n }" } } }],
    }),
  });
  if (!response.ok) throw new Error(`the workflow was refused: ${await response.text()}`);
}

async function publishAll(): Promise<void> {
  const topic = client.topic(TOPIC, { batching: { maxMessages: 100, maxMilliseconds: 10 } });
  for (let from = 0; from < events; from += 500) {
    const some = Array.from({ length: Math.min(500, events - from) }, (_, index) => from + index);
    const copies = some.flatMap((n) => (n % TWICE_EVERY === 0 ? [n, n] : [n]));
    await Promise.all(
      copies.map((n) => topic.publishMessage({ json: { n }, attributes: { type: TYPE, source: "/flood", id: `flood-${n}` } })),
    );
  }
}

/** Kills one pod after the other, and starts another in its place, until told to stop. */
async function killForever(stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await new Promise((resolve) => setTimeout(resolve, killEveryMs));
    if (stop.aborted) return;
    const victim = pods[kills % pods.length];
    await victim?.kill();
    const next = await startPod();
    pods[kills % pods.length] = next;
    kills += 1;
    // On a machine that is slower than the kills nobody would live to do anything.
    await next.ready();
  }
}

async function counts(): Promise<{ all: number; completed: number }> {
  const stats = (await store.executions.stats(LOCAL_PRINCIPAL.tenant, [WORKFLOW])).get(WORKFLOW);
  return { all: stats?.total ?? 0, completed: stats?.completed ?? 0 };
}

/** Numbers that no execution has, and those that several have. */
async function audit(): Promise<{ lost: number; doubled: number }> {
  const seen = new Map<number, number>();
  let pageToken: string | undefined;
  do {
    const page = await store.executions.list(LOCAL_PRINCIPAL.tenant, { workflowId: WORKFLOW, pageSize: 200, pageToken });
    for (const { input, status } of page.items)
      if (status === "COMPLETED") seen.set(Number(input["n"]), (seen.get(Number(input["n"])) ?? 0) + 1);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  const lost = Array.from({ length: events }, (_, n) => n).filter((n) => !seen.has(n)).length;
  return { lost, doubled: [...seen.values()].filter((times) => times > 1).length };
}

try {
  for (let n = 0; n < podCount; n += 1) pods.push(await startPod());
  await Promise.all(pods.map((pod) => pod.ready()));
  await define(pods[0]);
  // A process may take five seconds to see what another one wrote.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const stop = new AbortController();
  const began = Date.now();
  const killing = killForever(stop.signal);
  await publishAll();
  const publishedMs = Date.now() - began;
  for (let last = -1; Date.now() - began < LONGEST_MS;) {
    const { completed } = await counts();
    if (completed >= events) break;
    if (completed !== last) process.stderr.write(`${completed} of ${events} completed, ${kills} kills\n`);
    last = completed;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  }
  const doneMs = Date.now() - began;
  stop.abort();
  await killing;
  const { lost, doubled } = await audit();
  const { all } = await counts();
  console.log(
    `${events} events (every ${TWICE_EVERY}th twice) on ${podCount} pods, one killed every ${killEveryMs / 1_000} s (${kills} kills): ` +
      `${all} executions, ${lost} lost, ${doubled} doubled; published in ${Math.round(publishedMs / 1_000)} s, done in ${Math.round(doneMs / 1_000)} s`,
  );
  process.exitCode = lost === 0 && doubled === 0 && all === events ? 0 : 1;
} finally {
  await Promise.all(pods.map((pod) => pod.kill()));
  await client.close();
  await store.close();
  await emulators.stop();
}
