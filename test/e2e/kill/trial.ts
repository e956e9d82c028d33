import { EventEmitter } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort, type Child } from "../support/child.ts";
import { startService } from "../support/service.ts";
import { start, type Happenings, type Started } from "./actors.ts";
import { answerApprovals, type Said } from "./approver.ts";
import { CHECKS, violationsOf, type Violation } from "./checks.ts";
import { createClient } from "./client.ts";
import { collect, type Evidence } from "./evidence.ts";
import { startLedger, type Call } from "./ledger.ts";
import { leftovers } from "./leftovers.ts";
import { haunt, type Kill } from "./nemesis.ts";
import { planRuns } from "./plan.ts";
import { createDice } from "./random.ts";
import { definitionOf, type Run } from "./workflows.ts";

/** Longest time from the last kill to the end of the last execution. */
const DRAIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

export interface TrialOptions {
  seed: number;
  kills: number;
  executions: number;
  /** No more kills after so long, milliseconds; ten minutes unless told. */
  budgetMs?: number | undefined;
  /** Makes every fsync take so long, milliseconds, so that more kills fall between two commits; needs strace. */
  slowDiskMs?: number | undefined;
  /** Called after each kill. */
  onProgress?: ((text: string) => void) | undefined;
  /** Leaves the database where it is, for a look afterwards. */
  keep?: boolean | undefined;
}

export interface Trial {
  options: TrialOptions;
  violations: Violation[];
  evidence: Evidence[];
  kills: Kill[];
  calls: Call[];
  said: Map<string, Said>;
  /** From the last kill until everything had ended, milliseconds. */
  drainMs: number;
  tookMs: number;
  database: string;
}

/**
 * Runs executions on a service that is killed again and again, lets it come to rest, and looks at what it says, what the model
 * saw, and what is left in the store.
 */
export async function runTrial(options: TrialOptions): Promise<Trial> {
  const { seed, kills, executions, budgetMs = 600_000, keep = false } = options;
  const startedAt = Date.now();
  const dice = createDice(seed);
  const runs = planRuns(dice, executions, kills);
  const folder = await mkdtemp(path.join(tmpdir(), "signalbox-kill-"));
  const database = path.join(folder, "signalbox.db");
  const port = await freePort();
  const over = new AbortController();
  await using ledger = await startLedger(dice);
  const service = { port, database, env: { OPENAI_BASE_URL: ledger.baseUrl }, through: slowDisk(options.slowDiskMs) };
  let living: Child | undefined;
  try {
    await using first = startService(service);
    await first.ready();
    const bootMs = Date.now() - first.startedAt;
    const client = createClient(() => first.baseUrl, over.signal);
    await saveWorkflows(client, runs);
    await first.stop();

    const on = new EventEmitter<Happenings>();
    const started: Started[] = [];
    const violations: Violation[] = [];
    const starting = launcher(runs, async (run) => {
      started.push(await start(run, { client, dice, signal: over.signal, on }));
    });
    const saying = answerApprovals(client, dice, on, { signal: over.signal });
    starting.upTo(0);
    const haunted = await haunt({
      kills,
      budgetMs,
      bootMs,
      slowDiskMs: options.slowDiskMs ?? 0,
      dice,
      ledger,
      on,
      startService: () => (living = startService(service)),
      openExecutions: () => started.filter(({ watched }) => !watched.isOver).length,
      onKill(count) {
        starting.upTo(count);
        options.onProgress?.(
          `${count} of ${kills} kills, ${started.filter(({ watched }) => watched.isOver).length} of ${executions} executions over`,
        );
      },
      onDeath: (what) => violations.push({ check: "the service does not end by itself", run: "all", what }),
    });
    const healedAt = Date.now();
    starting.upTo(kills);
    await Promise.race([
      pause(DRAIN_MS, undefined, { ref: false }),
      starting.all().then(() => Promise.all(started.map(({ watching }) => watching))),
    ]);
    const drainMs = Date.now() - healedAt;
    const evidence: Evidence[] = [];
    for (const one of started) evidence.push(await collect(one, client));
    over.abort();
    const said = await saying;
    await haunted.service.stop();
    const missing = runs.filter(({ run }) => !started.some((other) => other.run.run === run));
    violations.push(...missing.map(({ run }) => ({ check: "every start is accepted", run, what: "was never accepted" })));
    violations.push(
      ...violationsOf(evidence, { calls: ledger.calls, kills: haunted.kills, said }, CHECKS),
      ...(await leftovers(`sqlite:${database}`, started)),
    );
    return {
      options,
      violations,
      evidence,
      kills: haunted.kills,
      calls: ledger.calls,
      said,
      drainMs,
      tookMs: Date.now() - startedAt,
      database,
    };
  } finally {
    over.abort();
    await living?.kill();
    if (!keep) await rm(folder, { recursive: true, force: true });
  }
}

function slowDisk(ms: number | undefined): string[] {
  if (ms === undefined) return [];
  const calls = "fsync,fdatasync";
  return [
    "strace",
    "--seccomp-bpf",
    "-f",
    "-qq",
    "-e",
    `trace=${calls}`,
    "-e",
    "signal=none",
    "-e",
    `inject=${calls}:delay_enter=${ms * 1_000}`,
    "-o",
    "/dev/null",
  ];
}

/** Creates each workflow the runs are of. */
export async function saveWorkflows(client: ReturnType<typeof createClient>, runs: readonly Run[]): Promise<void> {
  const byId = new Map(runs.map((run) => [run.workflowId, run]));
  for (const run of byId.values()) {
    const { status, body, tries } = await client.insist("POST", "/api/v1/workflows", definitionOf(run));
    // A try whose answer came too late has taken the id.
    if (status !== 201 && (status !== 409 || tries === 1))
      throw new Error(`${run.workflowId} was refused with ${status}: ${JSON.stringify(body, null, 2)}`);
  }
}

/** Starts each run once its number of kills is reached; `all` resolves when every one was accepted. */
function launcher(runs: readonly Run[], launch: (run: Run) => Promise<void>) {
  const waiting = [...runs];
  const under: Promise<void>[] = [];
  return {
    upTo(kills: number): void {
      while (waiting[0] !== undefined && waiting[0].afterKills <= kills) {
        const run = waiting.shift() as Run; // it was looked at in the line above
        // The executions of one life begin one after another, not in one turn.
        under.push(pause((under.length % 4) * LOOK_EVERY_MS).then(() => launch(run)));
      }
    },
    all: (): Promise<unknown> => Promise.all(under),
  };
}
