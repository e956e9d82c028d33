import { randomUUID } from "node:crypto";
import path from "node:path";
import { createFirestoreClient } from "../../../src/adapters/firestore/client.ts";
import { documentId } from "../../../src/adapters/firestore/document-id.ts";
import { placesIn } from "../../../src/adapters/firestore/places.ts";
import { openFirestoreStore } from "../../../src/adapters/firestore/store.ts";
import { LOCAL_PRINCIPAL } from "../../../src/definition/access.ts";
import { systemClock } from "../../../src/ports/clock.ts";
import { pause, ROOT } from "../support/child.ts";
import { startPod, type EmulatorHosts } from "../support/emulators.ts";
import { startMortalPods } from "../support/mortal-pods.ts";

const { tenant } = LOCAL_PRINCIPAL;
const WORKFLOW = "ticks";
/** Every two seconds: a process starts faster than that, and most ticks can have a kill of their own. */
const TICK_MS = 2_000;
const CRON = "*/2 * * * * *";
/** What each execution waits for: a process that is an hour ahead would end that at once. */
const REST_MS = 3_000;
const HOUR_MS = 3_600_000;
/** How wrong the clock of each process is. */
const CLOCKS_OFF_MS = [0, HOUR_MS, 0];
/** The n-th kill comes this much after its tick: before the decision about it, between that and the start, after both. */
const LATER_MS = 15;
const LATEST_MS = 180;
/** What dies between decision and start is taken up by others 15 s later. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 250;

export interface TicksOptions {
  hosts: EmulatorHosts;
  ticks: number;
  /** True is the control arm: the process with the wrong clock goes by it, and this must show. */
  trustsClock: boolean;
  onProgress(line: string): void;
}

export interface TicksResult {
  ticks: number;
  executions: number;
  completed: number;
  missing: string[];
  /** Ticks with more than one execution. */
  doubled: string[];
  /** Executions that Firestore has from before their tick. */
  early: string[];
  /** Executions that ended before their rest was over, by Firestore's clock. */
  hasty: string[];
  kills: number;
  /** Of the process whose clock is wrong. */
  killsOfWrong: number;
  /** From a tick until its execution is in Firestore, by Firestore's clock, milliseconds. */
  lateMs: number[];
}

interface Found {
  tick: string;
  status: string;
  createdMs: number;
  /** Of the last write; undefined while it is not over. */
  endedMs: number | undefined;
}

/**
 * A schedule on three processes, one with a clock that is an hour fast, each killed in turn at ticks; nobody is left in peace. What
 * was started for which tick, and when, is read from Firestore itself.
 */
export async function killAtTicks({ hosts, ticks, trustsClock, onProgress }: TicksOptions): Promise<TicksResult> {
  const project = `demo-ticks-${randomUUID()}`;
  const firestore = createFirestoreClient({ project });
  const store = openFirestoreStore({ project, clock: systemClock, ownerId: "ticks" });
  const env = { SIGNALBOX_QUEUE: "local", SIGNALBOX_EVENTS: "off" };
  const off = (ms: number) => ({
    preload: path.join(ROOT, "test", "e2e", "ticks", "clock-off.ts"),
    env: { ...env, CLOCK_OFF_MS: String(ms), ...(trustsClock && { CLOCK: "own" }) },
  });
  const startIn = (place: number) => {
    const offMs = CLOCKS_OFF_MS[place] ?? 0;
    return startPod({ hosts, project, ...(offMs === 0 ? { env } : off(offMs)) });
  };
  try {
    await using pods = await startMortalPods(CLOCKS_OFF_MS.length, startIn);
    await define(pods.at(0).baseUrl);
    const expected = ticksFrom(Date.now() + TICK_MS, ticks);
    const [first = 0, last = 0] = [expected[0], expected.at(-1)];
    let kills = 0;
    pods.torment(() => Math.max(first, Math.ceil(Date.now() / TICK_MS) * TICK_MS) + Math.min(LATEST_MS, LATER_MS * kills++));
    for (let now = Date.now(); now < last + TICK_MS / 2; now = Date.now()) {
      onProgress(`${expected.filter((tick) => tick <= now).length} of ${ticks} ticks, ${pods.kills.length} kills`);
      await pause(TICK_MS);
    }
    await pods.relent();
    const wanted = expected.map((tick) => new Date(tick).toISOString());
    let found = await look();
    const isThere = (tick: string): boolean => found.some((one) => one.tick === tick);
    for (
      const until = Date.now() + PATIENCE_MS;
      Date.now() < until && !(wanted.every(isThere) && found.every(({ status }) => status === "COMPLETED"));
      found = await look()
    )
      await pause(LOOK_EVERY_MS);
    const byTick = Map.groupBy(found, ({ tick }) => tick);
    const ours = found.filter(({ tick }) => wanted.includes(tick));
    return {
      ticks,
      executions: ours.length,
      completed: ours.filter(({ status }) => status === "COMPLETED").length,
      missing: wanted.filter((tick) => !isThere(tick)),
      doubled: [...byTick].filter(([, list]) => list.length > 1).map(([tick]) => tick),
      early: found.filter(({ tick, createdMs }) => createdMs < Date.parse(tick)).map(({ tick }) => tick),
      hasty: found.filter(({ createdMs, endedMs = Infinity }) => endedMs - createdMs < REST_MS).map(({ tick }) => tick),
      kills: pods.kills.length,
      killsOfWrong: pods.kills.filter((_, n) => CLOCKS_OFF_MS[n % CLOCKS_OFF_MS.length] !== 0).length,
      lateMs: ours.map(({ tick, createdMs }) => createdMs - Date.parse(tick)),
    };
  } finally {
    await store.close();
    await firestore.terminate();
  }

  /** Every execution there is, with the time Firestore itself gave to its document. */
  async function look(): Promise<Found[]> {
    // Listed first, so that the times are no older than the statuses.
    const { items } = await store.executions.list(tenant, { workflowId: WORKFLOW, pageSize: 200 });
    const { docs } = await placesIn(firestore).executions(tenant).select().get();
    const documents = new Map(docs.map((document) => [document.id, document]));
    // A tick's event is the tick.
    return items.flatMap(({ id, trigger, status }) => {
      const document = documents.get(documentId(id));
      if (!document) return [];
      const { time: tick } = trigger.event as { time: string };
      const endedMs = status === "COMPLETED" ? document.updateTime.toMillis() : undefined;
      return [{ tick, status, createdMs: document.createTime.toMillis(), endedMs }];
    });
  }

  async function define(baseUrl: string): Promise<void> {
    const response = await fetch(`${baseUrl}/api/v1/workflows`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        id: WORKFLOW,
        name: "Ticks",
        triggers: [{ type: "schedule", config: { cron: CRON, timezone: "UTC", misfire: "all" } }],
        steps: [{ id: "rest", type: "delay", config: { for: `${REST_MS / 1_000}s` } }],
      }),
    });
    if (!response.ok) throw new Error(`The workflow was refused: ${await response.text()}`);
  }
}

function ticksFrom(ms: number, count: number): number[] {
  const first = Math.ceil(ms / TICK_MS) * TICK_MS;
  return Array.from({ length: count }, (_, n) => first + n * TICK_MS);
}
