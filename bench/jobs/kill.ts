import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "../http.ts";
import type { Figures } from "../measure/figures.ts";
import type { Peer, PeerOptions } from "../peers/peer.ts";
import { TASK_STEPS, WORK_MS } from "../peers/peer.ts";
import { startAll } from "../running.ts";

/** Without a new line in the ledger for so long, nothing will come any more, milliseconds. */
const SILENCE_MS = 3_000;
const LONGEST_MS = 60_000;

interface Line {
  at: number;
  run: string;
  step: string;
}

/**
 * J5: kill -9 of the whole service when half of all steps are done, started again at once. What was done is read from a file the
 * steps themselves write.
 */
export async function killHalfWay(peer: Peer, options: PeerOptions, count: number): Promise<Figures> {
  writeFileSync(options.ledger, "");
  const allSteps = count * TASK_STEPS.work;
  const batch = "j5";
  // These steps only wait: the limit of a worker must not be what is measured.
  const wide = { ...options, concurrency: count };
  await using first = peer.start(wide);
  await first.ready();
  const http = connect(first.baseUrl);
  let acked = 0;
  try {
    await peer.prepare(http, "work", batch);
    // A peer may be killed before it acknowledged everything.
    const starting = startAll(http, peer, "work", batch, count, 64, () => (acked += 1)).catch(() => {});
    const until = Date.now() + LONGEST_MS;
    while (linesOf(options.ledger).length < allSteps / 2 && Date.now() < until) await pause(2);
    // Executions that began together end their steps together: a kill at a line of the ledger would always hit the worst moment.
    await pause(Math.random() * WORK_MS);
    await first.kill();
    await starting;
  } finally {
    await http.destroy();
  }
  const killedAt = Date.now();
  const before = linesOf(options.ledger);
  const restartedAt = Date.now();
  await using second = peer.start(wide);
  await second.ready();
  let lines = before;
  let changedAt = Date.now();
  while (doneRuns(lines) < acked && Date.now() - changedAt < SILENCE_MS && Date.now() - killedAt < LONGEST_MS) {
    await pause(5);
    const now = linesOf(options.ledger);
    if (now.length > lines.length) changedAt = Date.now();
    lines = now;
  }
  const after = lines.slice(before.length);
  const done = doneRuns(lines);
  return {
    "J5 acknowledged": acked,
    "J5 lost": acked - done,
    "J5 finished steps run again": lines.length - new Set(lines.map(({ run, step }) => `${run} ${step}`)).size,
    "J5 first step after restart s": after[0] ? (after[0].at - restartedAt) / 1_000 : Number.NaN,
    "J5 all done after restart s": done >= acked && after.length > 0 ? ((after.at(-1)?.at ?? 0) - restartedAt) / 1_000 : Number.NaN,
  };
}

function linesOf(file: string): Line[] {
  const text = readFileSync(file, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [at = "", run = "", step = ""] = line.split(" ");
      return { at: Number(at), run, step };
    });
}

function doneRuns(lines: readonly Line[]): number {
  const steps = Map.groupBy(lines, ({ run }) => run);
  return [...steps.values()].filter((list) => new Set(list.map(({ step }) => step)).size === TASK_STEPS.work).length;
}
