import { isDeepStrictEqual } from "node:util";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import type { Said } from "./approver.ts";
import type { Evidence } from "./evidence.ts";
import { expectationOf } from "./expectations.ts";
import type { Call } from "./ledger.ts";
import type { Kill } from "./nemesis.ts";

/** A promise that was broken, and by what. */
export interface Violation {
  check: string;
  run: string;
  what: string;
}

export interface Facts {
  calls: readonly Call[];
  kills: readonly Kill[];
  said: ReadonlyMap<string, Said>;
}

type Check = (evidence: Evidence, facts: Facts) => string[];

const ENDS: readonly string[] = ["execution.completed", "execution.failed", "execution.cancelled"];

/** Every promise that is looked at, for one execution each. An empty list: it held. */
export const CHECKS: Record<string, Check> = {
  "one acceptance, one execution": ({ started: { ids } }) => (ids.size === 1 ? [] : [`one key gave ${[...ids].join(", ")}`]),

  "it ended once": ({ execution, events }) => {
    const ends = events.filter(({ type }) => ENDS.includes(type));
    if (ends.length === 1 && ends[0] === events.at(-1) && execution["endedAt"] !== null) return [];
    return [
      `${String(execution["status"])}, ends at ${ends.map(({ seq, type }) => `${seq} ${type}`).join(", ") || "nothing"} of ${events.length} events`,
    ];
  },

  "the expected result": (evidence) => {
    const { status, output, errorCode } = expectationOf(evidence);
    const { execution } = evidence;
    const { code, message = "" } = (execution["error"] ?? {}) as { code?: string; message?: string }; // the API's own shape
    if (execution["status"] !== status || code !== errorCode)
      return [`${String(execution["status"])} ${code ?? ""} ${message}, expected ${status} ${errorCode ?? ""}`];
    if (output !== undefined && !isDeepStrictEqual(execution["output"], output))
      return [`${JSON.stringify(execution["output"])}, expected ${JSON.stringify(output)}`];
    return [];
  },

  "seq is 1..n": ({ events, execution }) => {
    const wrong = events.find(({ seq }, index) => seq !== index + 1);
    if (wrong) return [`seq ${wrong.seq} at place ${events.indexOf(wrong) + 1}`];
    return execution["lastSeq"] === events.length ? [] : [`lastSeq ${String(execution["lastSeq"])} of ${events.length} events`];
  },

  "all surfaces tell the same": ({ events, overSse, overGraphql }) => [
    ...(isDeepStrictEqual(overSse, events) ? [] : [`SSE gave ${overSse.length} events, REST ${events.length}, or others`]),
    ...(isDeepStrictEqual(overGraphql, events) ? [] : [`GraphQL gave ${overGraphql.length} events, REST ${events.length}, or others`]),
  ],

  "what was seen stays": ({ events, started: { watched } }) => {
    const forgotten = watched.events.find((event) => !isDeepStrictEqual(event, events[event.seq - 1]));
    return [
      ...(forgotten ? [`event ${forgotten.seq} ${forgotten.type} was seen and is another one now`] : []),
      ...watched.jumps.map((jump) => `a watcher's events jumped ${jump}`),
    ];
  },

  "a visit completes once": ({ events }) => {
    const ends = events.filter(({ type }) => type === "step.completed").map(visitOf);
    return ends.filter((visit, index) => ends.indexOf(visit) !== index).map((visit) => `${visit} completed twice`);
  },

  "a step begins before it ends": ({ events }) =>
    events
      .filter(({ type, stepId }) => (type === "step.completed" || type === "step.failed") && stepId !== null)
      .flatMap((end) => {
        const begun = events.find((event) => event.type === "step.started" && visitOf(event) === visitOf(end));
        return begun && begun.seq < end.seq ? [] : [`${visitOf(end)} ended at ${end.seq}, begun at ${begun?.seq ?? "no time"}`];
      }),

  "attempts count up": ({ events }) => {
    const begun = Map.groupBy(
      events.filter(({ type }) => type === "step.started"),
      visitOf,
    );
    return [...begun].flatMap(([visit, list]) =>
      list.every(({ attempt }, index) => attempt === index + 1)
        ? []
        : [`${visit} began attempts ${list.map(({ attempt }) => attempt).join(", ")}`],
    );
  },

  "a finished step is not run again": ({ events, started }, { calls }) =>
    events
      .filter(({ type, stepId }) => (type === "step.completed" || type === "step.failed") && stepId !== null)
      .flatMap((event) => {
        const key = `${started.run.run}/${event.stepId}/${event.visit}`;
        const late = calls.filter((call) => call.key === key && call.arrivedAt > Date.parse(event.at));
        return late.map((call) => `${key} was called ${call.arrivedAt - Date.parse(event.at)} ms after it was over`);
      }),

  "a call is repeated for a reason": ({ started }, { calls, kills }) =>
    [
      ...Map.groupBy(
        calls.filter(({ key }) => key.startsWith(`${started.run.run}/`)),
        ({ key }) => key,
      ),
    ].flatMap(([key, list]) =>
      list.slice(1).flatMap((call, index) => {
        const before = list[index];
        const isExcused = !before || before.outcome === "refused" || kills.some(({ at }) => at >= before.arrivedAt && at <= call.arrivedAt);
        return isExcused ? [] : [`${key} was called again after ${call.arrivedAt - before.arrivedAt} ms without a kill between`];
      }),
    ),

  "decided once, as recorded": ({ decisions, events, started: { run } }, { calls }) => {
    const problems: string[] = [];
    const byVisit = Map.groupBy(decisions, ({ stepId, visit }) => `${run.run}/${stepId}/${visit}`);
    const expected = run.kind === "decisions" ? run.rounds : 0;
    if (byVisit.size !== expected) problems.push(`${byVisit.size} visits were decided, expected ${expected}`);
    for (const [key, records] of byVisit) {
      const byModel = records.filter(({ answeredBy }) => answeredBy === null);
      const byPerson = records.filter(({ answeredBy }) => answeredBy !== null);
      const [record] = byModel;
      const isReferred = record?.selected === null;
      if (byModel.length !== 1 || byPerson.length !== (isReferred ? 1 : 0))
        problems.push(`${key} has ${records.map(({ id, source }) => `${source} ${id}`).join(", ")}`);
      const told = events.filter((event) => event.type === "decision.recorded" && `${run.run}/${event.stepId}/${event.visit}` === key);
      if (told.length !== records.length) problems.push(`${key} has ${records.length} records and ${told.length} decision.recorded events`);
      const asked = calls.filter((call) => call.key === key);
      const recordedCall = asked.find(({ number }) => record?.attempts.some(({ raw }) => raw.includes(`"call ${number}"`)));
      if (!isReferred && recordedCall?.choice !== record?.selected)
        problems.push(`${key} recorded ${record?.selected}, the model said ${recordedCall?.choice}`);
      if (recordedCall !== asked.at(-1)) problems.push(`${key} was asked again after the answer that was recorded`);
      if (told[0] && asked.some(({ arrivedAt }) => arrivedAt > Date.parse(told[0]?.at ?? "")))
        problems.push(`${key} was asked after it was recorded`);
    }
    return problems;
  },

  "a confirmed answer counts": ({ approvals }, { said }) =>
    approvals.flatMap(({ id, reason, status }) => {
      const { words = [], confirmed } = said.get(String(id)) ?? {};
      if (!words.includes(String(reason))) return [`approval ${String(id)} is ${String(status)} with words nobody said: ${String(reason)}`];
      return confirmed === undefined || confirmed === reason
        ? []
        : [`approval ${String(id)} has ${String(reason)}, ${confirmed} was confirmed`];
    }),

  "a confirmed verb counts": ({ events, started }) =>
    started.confirmed.flatMap(({ verb, status }) => {
      if (status !== 200) return status === 409 && verb !== "cancel" ? [] : [`${verb} was answered with ${status}`];
      const type = verb === "cancel" ? "execution.cancelled" : verb === "pause" ? "execution.paused" : "execution.resumed";
      // A pause that was taken back before the step in work was over leaves no trace, and neither does taking it back.
      return verb !== "cancel" || events.some((event) => event.type === type) ? [] : [`${verb} was confirmed and there is no ${type}`];
    }),

  "a verb takes effect once": ({ events, started: { confirmed } }) =>
    ["pause", "resume"].flatMap((verb) => {
      const asked = confirmed.filter((one) => one.verb === verb).length;
      const done = events.filter(({ type }) => type === `execution.${verb}d`).length;
      return done <= asked ? [] : [`${verb} was asked ${asked} times and took effect ${done} times`];
    }),
};

/** Everything that was broken of what `checks` promise. */
export function violationsOf<F>(
  all: readonly Evidence[],
  facts: F,
  checks: Record<string, (evidence: Evidence, facts: F) => string[]>,
): Violation[] {
  return all.flatMap((evidence) => {
    const run = `${evidence.started.run.run} (${evidence.started.run.kind})`;
    return Object.entries(checks).flatMap(([check, look]) => look(evidence, facts).map((what) => ({ check, run, what })));
  });
}

function visitOf({ stepId, visit, branch }: ExecutionEvent): string {
  return `${branch === null ? "" : `${branch}/`}${stepId}#${visit}`;
}
