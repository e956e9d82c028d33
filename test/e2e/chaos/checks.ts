import { TERMINAL_STATUSES } from "../../../src/definition/execution.ts";
import { CHECKS, violationsOf, type Facts, type Violation } from "../kill/checks.ts";
import type { Evidence } from "../kill/evidence.ts";
import { effectsOf } from "../kill/expectations.ts";
import type { Receiver } from "./receiver.ts";

/** What a broken promise comes to. `wrong`: it ended otherwise than it had to. */
export const LOSSES = ["lost", "phantom", "applied twice", "sequence errors", "stuck", "wrong"] as const;
export type Loss = (typeof LOSSES)[number];

export interface LossFound extends Violation {
  loss: Loss;
}

interface ChaosFacts extends Facts {
  receiver: Receiver;
}

type Check = (evidence: Evidence, facts: ChaosFacts) => string[];

/** The promises of the embedded store that hold across processes, too, by what it means to break them. */
const SHARED: Record<string, Loss> = {
  "one acceptance, one execution": "phantom",
  "the expected result": "wrong",
  "seq is 1..n": "sequence errors",
  "all surfaces tell the same": "sequence errors",
  "what was seen stays": "sequence errors",
  "a visit completes once": "sequence errors",
  "a step begins before it ends": "sequence errors",
  "attempts count up": "sequence errors",
  "a confirmed answer counts": "lost",
  "a confirmed verb counts": "lost",
  "a verb takes effect once": "applied twice",
};

// Not shared: that a finished step is not called again. A process that was stopped before its call makes it when it wakes up; that
// is what the deduplicating receiver is for, and such calls are counted as raw repeats.
const OWN: Record<string, { loss: Loss; look: Check }> = {
  "it ended": {
    loss: "stuck",
    look: ({ execution, events }) =>
      isOver(execution["status"]) ? [] : [`${String(execution["status"])}, ${events.at(-1)?.type ?? "no events"}`],
  },
  "it ended once": {
    loss: "sequence errors",
    look: (evidence, facts) => (isOver(evidence.execution["status"]) ? (CHECKS["it ended once"]?.(evidence, facts) ?? []) : []),
  },
  "claims have ever higher epochs": {
    loss: "sequence errors",
    look({ events }) {
      const epochs = events.filter(({ type }) => type === "execution.claimed").map(({ data }) => Number(data["epoch"]));
      return epochs.every((epoch, index) => index === 0 || epoch > Number(epochs[index - 1])) ? [] : [epochs.join(", ")];
    },
  },
  "every effect happened": {
    loss: "lost",
    look: ({ started, execution }, { receiver }) =>
      execution["status"] === "COMPLETED" ? effectsOf(started.run).filter((effect) => !receiver.applied.has(effect)) : [],
  },
  "no effect happened that was not asked for": {
    loss: "phantom",
    look({ started: { run } }, { receiver }) {
      const wanted = new Set(effectsOf(run));
      return [...receiver.applied.keys()].filter((effect) => effect.startsWith(`${run.run}/`) && !wanted.has(effect));
    },
  },
  "an effect has one key": {
    loss: "applied twice",
    look: ({ started: { run } }, { receiver }) =>
      effectsOf(run).flatMap((effect) => {
        const keys = receiver.applied.get(effect) ?? new Set();
        return keys.size > 1 ? [`${effect} came as ${[...keys].join(", ")}`] : [];
      }),
  },
  "a key asks for one thing": {
    loss: "applied twice",
    look({ started: { run } }, { receiver }) {
      const own = [...receiver.asked].filter(([, effects]) => [...effects].some((effect) => effect.startsWith(`${run.run}/`)));
      return own.flatMap(([key, effects]) => (effects.size === 1 ? [] : [`${key} came for ${[...effects].join(", ")}`]));
    },
  },
  "a decision is recorded once, and is what a model said": {
    loss: "wrong",
    look: ({ decisions, started: { run } }, { calls }) =>
      [...Map.groupBy(decisions, ({ stepId, visit }) => `${run.run}/${stepId}/${visit}`)].flatMap(([key, records]) => {
        const byModel = records.filter(({ answeredBy }) => answeredBy === null);
        const said = calls.filter((call) => call.key === key).map(({ number }) => `"call ${number}"`);
        const isSaid = byModel[0]?.attempts.some(({ raw }) => said.some((words) => raw.includes(words)));
        return byModel.length === 1 && isSaid === true ? [] : [`${key} has ${byModel.length} records`];
      }),
  },
};

const LOSS_OF: Record<string, Loss> = {
  ...SHARED,
  ...Object.fromEntries(Object.entries(OWN).map(([name, { loss }]) => [name, loss])),
};

/** Every promise that was broken to these executions. */
export function lossesOf(all: readonly Evidence[], facts: ChaosFacts): LossFound[] {
  const looks: Record<string, Check> = {
    ...Object.fromEntries(Object.entries(CHECKS).filter(([name]) => name in SHARED)),
    ...Object.fromEntries(Object.entries(OWN).map(([name, { look }]) => [name, look])),
  };
  return violationsOf(all, facts, looks).map((violation) => ({ ...violation, loss: LOSS_OF[violation.check] ?? "wrong" }));
}

function isOver(status: unknown): boolean {
  return [...TERMINAL_STATUSES].some((terminal) => terminal === status);
}
