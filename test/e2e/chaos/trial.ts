import { EventEmitter } from "node:events";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { start, type Happenings, type Started } from "../kill/actors.ts";
import { answerApprovals } from "../kill/approver.ts";
import { createClient, type Client } from "../kill/client.ts";
import { collect, type Evidence } from "../kill/evidence.ts";
import { startLedger, type Call } from "../kill/ledger.ts";
import { leftovers } from "../kill/leftovers.ts";
import { planRuns } from "../kill/plan.ts";
import { createDice } from "../kill/random.ts";
import { saveWorkflows } from "../kill/trial.ts";
import type { Kind } from "../kill/workflows.ts";
import { ROOT } from "../support/child.ts";
import { lossesOf, type LossFound } from "./checks.ts";
import { torment, type Trouble } from "./nemesis.ts";
import { startPods } from "./pods.ts";
import { startReceiver, type Arrival } from "./receiver.ts";

/** What runs: a third of it calls outside, so that a repeat shows. */
const MIX: readonly Kind[] = [
  "calls",
  "decisions",
  "calls",
  "approvals",
  "delays",
  "calls",
  "line",
  "prompts",
  "calls",
  "paused",
  "decisions",
  "cancelled",
  "branches",
  "rounds",
  "branches",
];
const ROUNDS = 3;
const PODS = 3;
const LEASE_MS = 5_000;
/** The service's own default. The emulator answers each query by looking at every document it has, so polling is what fills it. */
const SWEEP_MS = 1_000;
/** Of each process. As many as the emulator can serve within a lease: with more, all are slow, leases end, and taking over is what fills it. */
const CONCURRENCY = 24;
/** How often a person looks for approvals. */
const LOOK_EVERY_MS = 400;
/** Once everything is healed: as long without a single event anywhere is taken for stuck. */
const SILENCE_MS = 45_000;
/** Part of the trouble during which executions are started. */
const STARTING_SHARE = 0.9;
/** Executions that are asked for their evidence at once. */
const ASKED_AT_ONCE = 8;

export interface ChaosOptions {
  seed: number;
  executions: number;
  /** How long the trouble lasts. */
  troubleMs: number;
  /** `host:port` of the emulator. */
  firestore: string;
  /** On a machine that does much else at once, leases and troubles last so many times longer; 1 unless told. */
  pace?: number;
  /** False is the control arm: writes are not guarded, and this must show. */
  isFenced?: boolean;
  /** False is another control arm: every call outside has a key of its own. */
  isKeyed?: boolean;
  onProgress?: ((text: string) => void) | undefined;
}

export interface ChaosTrial {
  options: ChaosOptions;
  /** Folder of what the processes printed; removed where nothing was lost. */
  logs: string;
  losses: LossFound[];
  evidence: Evidence[];
  troubles: Trouble[];
  calls: readonly Call[];
  arrivals: readonly Arrival[];
  /** From the end of the trouble until everything had ended. */
  drainMs: number;
  tookMs: number;
}

/**
 * Runs executions on three processes and one Firestore while processes are killed, stopped and ended and their networks fail; then
 * heals everything, lets it come to rest, and compares what the service says with what the outside saw.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosTrial> {
  const { seed, executions, troubleMs, firestore, pace = 1, isFenced = true, isKeyed = true } = options;
  const leaseMs = LEASE_MS * pace;
  const startedAt = Date.now();
  const dice = createDice(seed);
  // A hundred parts of the time instead of kills.
  const runs = planRuns(dice, executions, 100, MIX, ROUNDS);
  const project = `demo-${randomUUID()}`;
  const over = new AbortController();
  const logs = mkdtempSync(path.join(tmpdir(), "signalbox-chaos-"));
  await using ledger = await startLedger(createDice(seed + 1));
  await using receiver = await startReceiver(createDice(seed + 2));
  await using service = await startPods({
    count: PODS,
    firestore,
    project,
    isFenced,
    env: {
      OPENAI_BASE_URL: ledger.baseUrl,
      CHAOS_RECEIVER: receiver.url,
      ...(isKeyed ? {} : { CHAOS_KEY: "random" }),
      SIGNALBOX_STEPS: path.join(ROOT, "test", "e2e", "chaos", "steps"),
      SIGNALBOX_LEASE_MS: String(leaseMs),
      SIGNALBOX_SWEEP_MS: String(SWEEP_MS * pace),
      SIGNALBOX_CONCURRENCY: String(CONCURRENCY),
      SIGNALBOX_DRAIN_MS: "1000",
      SIGNALBOX_LOG: "warn",
    },
    logs,
  });
  try {
    const client = createClient(service.next, over.signal);
    await saveWorkflows(client, runs);
    const on = new EventEmitter<Happenings>();
    const losses: LossFound[] = [];
    const started: Started[] = [];
    const saying = answerApprovals(client, dice, on, { signal: over.signal, lookEveryMs: LOOK_EVERY_MS });
    const until = Date.now() + troubleMs;
    const starting = Promise.all(
      runs.map(async (run) => {
        await pause((run.index / executions) * STARTING_SHARE * troubleMs, undefined, { signal: over.signal });
        started.push(await start(run, { client, dice, signal: over.signal, on }));
      }),
    );
    starting.catch(() => {}); // a start that never came through is told below
    const tell = setInterval(() => {
      const ended = started.filter(({ watched }) => watched.isOver).length;
      options.onProgress?.(`${started.length} of ${executions} executions accepted, ${ended} over`);
    }, 2_000);
    const troubles = await torment({
      pods: service.pods,
      diceOf: (pod) => createDice(seed * 1_000 + service.pods.indexOf(pod)),
      until,
      leaseMs,
      pace,
      onDeath: (what) => losses.push({ check: "the service does not end by itself", run: "all", what, loss: "wrong" }),
    });
    const healedAt = Date.now();
    let lastEventAt = healedAt;
    on.on("event", () => (lastEventAt = Date.now()));
    let isOver = false;
    const ending = starting.then(() => Promise.all(started.map(({ watching }) => watching))).then(() => (isOver = true));
    while (!isOver && Date.now() - lastEventAt < SILENCE_MS * pace) await Promise.race([ending, pause(1_000)]);
    clearInterval(tell);
    const drainMs = Date.now() - healedAt;
    losses.push(...(await miscounts(client, started)));
    const evidence: Evidence[] = [];
    for (let first = 0; first < started.length; first += ASKED_AT_ONCE)
      evidence.push(...(await Promise.all(started.slice(first, first + ASKED_AT_ONCE).map((one) => collect(one, client)))));
    over.abort();
    const said = await saying;
    await Promise.all(service.pods.map(({ child }) => child.stop()));
    for (const { run } of runs.filter((one) => !started.some((other) => other.run === one)))
      losses.push({ check: "every start is accepted", run, what: "was never accepted", loss: "lost" });
    losses.push(...lossesOf(evidence, { calls: ledger.calls, kills: [], said, receiver }));
    process.env["FIRESTORE_EMULATOR_HOST"] = firestore;
    for (const left of await leftovers(`firestore:${project}`, started)) {
      const loss = left.what.includes("no such") ? "lost" : left.what.includes("nobody was told") ? "phantom" : "stuck";
      losses.push({ ...left, loss });
    }
    if (losses.length === 0) rmSync(logs, { recursive: true, force: true });
    return {
      options,
      logs,
      losses,
      evidence,
      troubles,
      calls: ledger.calls,
      arrivals: receiver.arrivals,
      drainMs,
      tookMs: Date.now() - startedAt,
    };
  } finally {
    over.abort();
  }
}

/** What a workflow says of its executions must be what became of them. */
async function miscounts(client: Client, started: readonly Started[]): Promise<LossFound[]> {
  const byWorkflow = Map.groupBy(started, ({ run }) => run.workflowId);
  const found = [...byWorkflow].map(async ([workflowId, list]): Promise<LossFound[]> => {
    const { body } = await client.insist("GET", `/api/v1/workflows/${workflowId}`);
    const { total, completed, cancelled } = body["executionStats"] as Record<string, number>; // the API's own shape
    const isCancelled = list[0]?.run.kind === "cancelled";
    const [told, ended] = isCancelled ? [cancelled, "cancelled"] : [completed, "completed"];
    if (total === list.length && told === list.length) return [];
    const what = `tells of ${total} executions, ${told} ${ended}; ${list.length} were started`;
    return [{ check: "a workflow counts its executions", run: workflowId, what, loss: "wrong" }];
  });
  return (await Promise.all(found)).flat();
}
