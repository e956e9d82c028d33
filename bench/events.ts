import { mkdirSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { withEmulators, type EmulatorHosts } from "../test/e2e/support/emulators.ts";
import { startCluster } from "./events/cluster.ts";
import { latency } from "./events/latency.ts";
import { throughput } from "./events/throughput.ts";
import type { Figures } from "./measure/figures.ts";
import { loads, machineFacts } from "./measure/machine.ts";
import { cell, markdown } from "./table.ts";

const WORKERS = [1, 2, 3] as const;
/** Latency is measured with as many. */
const LATENCY_WORKERS = 2;
/** Of a worker whose executions wait for somebody outside, and how long that one takes, milliseconds. */
const SLOTS = 8;
const WAIT_MS = 500;

const PURE = { id: "pure", steps: [{ id: "s", type: "transform", config: { set: { n: "${ input.n }" } } }] };
const WAITING = { id: "waiting", steps: [{ id: "s", type: "work", config: { ms: WAIT_MS, run: "${ input.n }" } }] };

// npm run bench:events -- --rounds 3: from an event on Pub/Sub to the execution it starts, and what more workers bring; both emulators,
// real processes. Figures only, nothing is asserted but that all of it ends.
const { values } = parseArgs({ options: { rounds: { type: "string" }, quick: { type: "boolean", default: false } } });
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) {
  console.error("--rounds is a number from 1 to 20");
  process.exit(2);
}
const sizes = values.quick ? { latency: 50, pure: 100, waiting: 40 } : { latency: 250, pure: 400, waiting: 200 };
const results = new Map<number, Figures[]>(WORKERS.map((workers) => [workers, []]));

process.exitCode = await withEmulators(async (hosts) => {
  mkdirSync("data/bench", { recursive: true });
  console.log(
    machineFacts("data/bench")
      .map((fact) => `- ${fact}`)
      .join("\n"),
  );
  for (let round = 1; round <= rounds; round += 1) {
    for (const workers of WORKERS) {
      results.get(workers)?.push({ ...(await measurePure(hosts, workers)), ...(await measureWaiting(hosts, workers)) });
      console.error(`round ${round} of ${rounds}: ${workers} workers`);
    }
  }
  const { latency: events, pure, waiting } = sizes;
  console.log(
    `\n${rounds} rounds, medians (smallest-largest); ${events} events at ten a second, ${pure} and ${waiting} at once; load average at the end ${loads(loadavg())}.\n`,
  );
  const names = [...new Set([...results.values()].flat().flatMap((figures) => Object.keys(figures)))];
  console.log(
    markdown(
      ["", ...WORKERS.map((workers) => `${workers} worker${workers === 1 ? "" : "s"}`)],
      names.map((name) => [
        name,
        ...WORKERS.map((workers) => cell((results.get(workers) ?? []).flatMap((figures) => figures[name] ?? []))),
      ]),
    ),
  );
  return 0;
});

async function measurePure(hosts: EmulatorHosts, workers: number): Promise<Figures> {
  await using cluster = await startCluster({ hosts, workers });
  await cluster.define([PURE, { ...PURE, id: "latency" }]);
  const first = workers === LATENCY_WORKERS ? await latency(cluster, "latency", sizes.latency) : {};
  return { ...first, ...named("a pure step", await throughput(cluster, "pure", sizes.pure)) };
}

/** Where executions wait for somebody outside, slots are what limits a worker, and not the CPU all of this shares. */
async function measureWaiting(hosts: EmulatorHosts, workers: number): Promise<Figures> {
  await using cluster = await startCluster({ hosts, workers, env: { SIGNALBOX_CONCURRENCY: String(SLOTS) } });
  await cluster.define([WAITING]);
  return named(`a step of ${WAIT_MS} ms, ${SLOTS} slots a worker`, await throughput(cluster, "waiting", sizes.waiting));
}

function named(what: string, figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${what}: ${name}`, value]));
}
