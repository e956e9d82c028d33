import type { ExecutionEvent } from "../../../src/definition/event.ts";
import { CHECKS } from "./checks.ts";
import { AIMS } from "./nemesis.ts";
import type { Trial } from "./trial.ts";

const SHOWN = 40;

/** The figures of a trial as a Markdown table, and what was broken. */
export function report({ options, violations, evidence, kills, calls, drainMs, tookMs }: Trial): string {
  const events = evidence.flatMap((one) => one.events);
  const count = (type: ExecutionEvent["type"]): number => events.filter((event) => event.type === type).length;
  const repeats = repeatsOf(calls, kills);
  const boots = kills.flatMap(({ bootMs }) => bootMs ?? []);
  const works = kills.flatMap(({ firstWorkMs }) => firstWorkMs ?? []);
  const rows: [string, string | number][] = [
    ["seed", options.seed],
    [
      "kills (kill -9 of the whole service)",
      `${kills.length}: ${AIMS.map((aim) => `${kills.filter((kill) => kill.aim === aim).length} ${AIM_WORDS[aim]}`).join(", ")}`,
    ],
    [
      "kills that hit open executions / before the service was ready",
      `${kills.filter(({ open }) => open > 0).length} / ${kills.filter(({ bootMs }) => bootMs === undefined).length}`,
    ],
    ["executions accepted", `${evidence.length} of ${options.executions}, in ${sum(evidence, ({ started }) => started.tries)} tries`],
    ["ended", tally(evidence.map(({ execution }) => String(execution["status"])))],
    [
      "claims, so how often one was taken up (median, most)",
      spread(evidence.map((one) => one.events.filter(({ type }) => type === "execution.claimed").length)),
    ],
    ["steps completed / decisions recorded", `${count("step.completed")} / ${count("decision.recorded")}`],
    [
      "events seen live over SSE, connections",
      `${sum(evidence, (one) => one.started.watched.events.length)} of ${events.length}, ${sum(evidence, (one) => one.started.watched.connections)}`,
    ],
    ["model calls", calls.length],
    ["called again because the model refused / because a kill came while it thought", `${repeats.afterRefusal} / ${repeats.whileThinking}`],
    [
      "called again because a kill came between the answer and its commit, ms between answer and kill (median, most)",
      `${repeats.afterAnswerMs.length}; ${spread(repeats.afterAnswerMs)}`,
    ],
    ["start of the process until ready, ms (median, most)", spread(boots)],
    ["start of the process until the first event or answer, ms (median, most)", spread(works)],
    ["all over after the last kill, s", (drainMs / 1_000).toFixed(1)],
    ["the trial took, s", (tookMs / 1_000).toFixed(1)],
    ...[...new Set([...Object.keys(CHECKS), ...violations.map(({ check }) => check), "nothing is left behind"])].map(
      (check): [string, number | string] => {
        const broken = violations.filter((violation) => violation.check === check).length;
        return [`check: ${check}`, broken === 0 ? "holds" : `BROKEN ${broken} times`];
      },
    ),
  ];
  const table = ["| | |", "|---|---|", ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join("\n");
  const details = violations.slice(0, SHOWN).map(({ check, run, what }) => `- ${check}: ${run}: ${what}`);
  return [
    table,
    ...(details.length > 0 ? ["", ...details] : []),
    ...(violations.length > SHOWN ? [`- and ${violations.length - SHOWN} more`] : []),
  ].join("\n");
}

const AIM_WORDS = {
  any: "at any moment",
  answer: "just after a model wrote",
  decision: "just after a model chose",
  said: "just after a person answered",
  accepted: "just after a start was accepted",
  event: "just after an event was seen",
};

/** Why calls were made again. A model cannot tell at once that its caller is dead: what it answered after the kill went nowhere. */
function repeatsOf(calls: Trial["calls"], kills: Trial["kills"]) {
  const result = { afterRefusal: 0, whileThinking: 0, afterAnswerMs: [] as number[] };
  for (const list of Map.groupBy(calls, ({ key }) => key).values()) {
    for (const [index, before] of list.slice(0, -1).entries()) {
      const again = list[index + 1];
      const kill = kills.find(({ at }) => at >= before.arrivedAt && again !== undefined && at <= again.arrivedAt);
      const answeredMs = kill && before.outcome === "answered" && before.endedAt !== undefined ? kill.at - before.endedAt : -1;
      if (before.outcome === "refused") result.afterRefusal += 1;
      else if (answeredMs >= 0) result.afterAnswerMs.push(answeredMs);
      else result.whileThinking += 1;
    }
  }
  return result;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function tally(words: readonly string[]): string {
  return [...Map.groupBy(words, (word) => word)].map(([word, list]) => `${list.length} ${word}`).join(", ");
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted.length === 0 ? "-" : `${sorted[Math.floor(sorted.length / 2)]}, ${sorted.at(-1)}`;
}
