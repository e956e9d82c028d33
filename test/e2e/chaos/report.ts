import { LOSSES } from "./checks.ts";
import { TROUBLES, type Trouble } from "./nemesis.ts";
import type { ChaosTrial } from "./trial.ts";

const SHOWN = 25;
/** Executions whose whole history is shown. */
const HISTORIES = 2;

/** The figures of a trial as a Markdown table, and what was broken. */
export function chaosReport({ options, logs, losses, evidence, troubles, calls, arrivals, drainMs, tookMs }: ChaosTrial): string {
  const takeovers = takeoversOf(evidence, troubles);
  const spread = takeovers.flatMap(({ ms }) => ms ?? []);
  const effects = new Set(arrivals.map(({ effect }) => effect)).size;
  const repeats = rawRepeats(arrivals);
  const sum = (of: (one: (typeof evidence)[number]) => number) => evidence.reduce((total, one) => total + of(one), 0);
  const rows: [string, string | number][] = [
    ["seed", `${options.seed}${armOf(options)}`],
    ["executions accepted", `${evidence.length} of ${options.executions}, in ${sum(({ started }) => started.tries)} tries`],
    [
      "troubles",
      `${troubles.length}: ${TROUBLES.map((kind) => `${troubles.filter((one) => one.kind === kind).length} ${kind}`).join(", ")}`,
    ],
    ["steps completed", sum(({ events }) => events.filter(({ type }) => type === "step.completed").length)],
    ...LOSSES.map((loss): [string, number] => [loss, losses.filter((one) => one.loss === loss).length]),
    ["outside effects, calls for them", `${effects}, ${arrivals.length}`],
    [
      "raw repeats (calls after one that was answered or applied), rate",
      `${repeats}, ${effects === 0 ? "-" : (repeats / effects).toFixed(3)}`,
    ],
    ["model calls", calls.length],
    ["takeovers of executions of troubled processes; p50, p95, max, s", `${spread.length}; ${spreadOf(spread)}`],
    ["takeovers from processes nothing was done to", takeovers.filter(({ ms }) => ms === undefined).length],
    ["all over after the last trouble, s", seconds(drainMs)],
    ["the trial took, s", seconds(tookMs)],
  ];
  const details = losses.slice(0, SHOWN).map(({ loss, check, run, what }) => `- ${loss}: ${check}: ${run}: ${what.slice(0, 400)}`);
  return [
    "| | |\n|---|---|",
    ...rows.map(([name, value]) => `| ${name} | ${value} |`),
    ...(details.length > 0 ? ["", ...details] : []),
    ...(losses.length > 0 ? [`- what the processes printed: ${logs}`] : []),
    ...(losses.length > SHOWN ? [`- and ${losses.length - SHOWN} more`] : []),
    ...losses
      .filter(({ loss }) => loss === "wrong")
      .slice(0, HISTORIES)
      .map(({ run }) => historyOf(run, evidence)),
  ].join("\n");
}

/** One row per trial and one for all. */
export function chaosSummary(trials: readonly ChaosTrial[]): string {
  const spreads = trials.map(({ evidence, troubles }) => takeoversOf(evidence, troubles).flatMap(({ ms }) => ms ?? []));
  const sum = (of: (trial: ChaosTrial) => number) => trials.reduce((total, trial) => total + of(trial), 0);
  const columns: [string, (trial: ChaosTrial) => number][] = [
    ["executions", ({ evidence }) => evidence.length],
    ["troubles", ({ troubles }) => troubles.length],
    ...LOSSES.map((loss): [string, (trial: ChaosTrial) => number] => [
      loss,
      ({ losses }) => losses.filter((one) => one.loss === loss).length,
    ]),
    ["effects", ({ arrivals }) => new Set(arrivals.map(({ effect }) => effect)).size],
    ["raw repeats", ({ arrivals }) => rawRepeats(arrivals)],
  ];
  const names = ["seed", ...columns.map(([name]) => name), "takeovers", "p50, p95, max, s", "took, s"];
  const rows = trials.map((trial, index) => [
    `${trial.options.seed}${armOf(trial.options)}`,
    ...columns.map(([, of]) => of(trial)),
    spreads[index]?.length ?? 0,
    spreadOf(spreads[index] ?? []),
    seconds(trial.tookMs),
  ]);
  const all = spreads.flat();
  const total = ["all", ...columns.map(([, of]) => sum(of)), all.length, spreadOf(all), seconds(sum(({ tookMs }) => tookMs))];
  return [names, names.map(() => "---"), ...rows, total].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function armOf({ isFenced = true, isKeyed = true }: ChaosTrial["options"]): string {
  return `${isFenced ? "" : ", guard of the writes OFF (control arm)"}${isKeyed ? "" : ", random keys (control arm)"}`;
}

/** p50, p95 and the most, in seconds. */
function spreadOf(all: readonly number[]): string {
  const sorted = all.toSorted((left, right) => left - right);
  const at = (share: number) => seconds(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  return [at(0.5), at(0.95), at(1)].join(", ");
}

/** From the last trouble of the process that had an execution until another one claimed it. */
function takeoversOf(evidence: ChaosTrial["evidence"], troubles: readonly Trouble[]): { ms: number | undefined }[] {
  return evidence.flatMap(({ events }) =>
    events.flatMap(({ type, at, data }) => {
      if (type !== "execution.claimed" || typeof data["takenFrom"] !== "string") return [];
      // Owners are named `host-pid-random`.
      const pid = Number(data["takenFrom"].split("-").at(-2));
      const time = Date.parse(at);
      const cause = troubles.findLast((trouble) => trouble.pid === pid && trouble.at <= time);
      return [{ ms: cause && time - cause.at }];
    }),
  );
}

/** Calls for an effect beyond the first, without those the receiver itself asked for by failing. */
function rawRepeats(arrivals: ChaosTrial["arrivals"]): number {
  return [...Map.groupBy(arrivals, ({ effect }) => effect).values()].reduce(
    (total, list) => total + list.slice(0, -1).filter(({ fate }) => fate === "applied" || fate === "repeat").length,
    0,
  );
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "-" : (ms / 1_000).toFixed(1);
}

function historyOf(run: string, evidence: ChaosTrial["evidence"]): string {
  const found = evidence.find(({ started }) => run.startsWith(started.run.run));
  const lines = found?.events.map(({ seq, at, attempt, summary }) => `${seq} ${at} attempt ${attempt ?? "-"}: ${summary}`) ?? [];
  return [`\n${run}`, ...lines].join("\n");
}
