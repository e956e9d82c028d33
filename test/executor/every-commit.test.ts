import { expect, test } from "vitest";
import { z } from "zod";
import { openStore } from "../../src/adapters/open.ts";
import { SignalboxError } from "../../src/errors.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine } from "../support/engine.ts";

/** More than travels in a checkpoint: it is stored apart and referred to. */
const LARGE = "x".repeat(20_000);

/** Says what it is given, and whether the key it came under had come before. */
function echoStep(): StepType {
  const keys = new Map<string, string>();
  return defineStep({
    type: "echo",
    title: "Echo",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ say: z.string(), ms: z.number().default(0) }),
    async run({ config: { say, ms }, idempotencyKey }) {
      expect(keys.get(idempotencyKey) ?? say).toBe(say);
      keys.set(idempotencyKey, say);
      await new Promise<void>((resolve) => systemClock.after(ms, resolve));
      return { kind: "done", output: { said: say, large: LARGE } };
    },
  });
}

const echo = (id: string, say: string, next: string[], ms = 0) => ({ id, type: "echo", config: { say, ms }, nextSteps: next });

/** Everything that could be read too early after a takeover: variables, outputs of steps, large ones, `item`, results of regions. */
const WORKFLOWS = {
  line: {
    variables: { text: { type: "string" as const, default: "" } },
    output: { text: "${ vars.text }", length: "${ size(steps.b.output.large) }" },
    steps: [
      { ...echo("a", "${ input.word }1", ["set"]), output: { text: "${ vars.text + output.said }" } },
      {
        id: "set",
        type: "transform",
        config: { set: { text: "${ vars.text + '-' }" } },
        output: { text: "${ output.text }" },
        nextSteps: ["b"],
      },
      { ...echo("b", "${ steps.a.output.said }2", ["rest"]), output: { text: "${ vars.text + output.said }" } },
      { id: "rest", type: "delay", config: { for: "20ms" }, nextSteps: ["c"] },
      {
        ...echo("c", "${ steps.b.output.said + string(size(steps.a.output.large)) }", []),
        output: { text: "${ vars.text + output.said }" },
      },
    ],
    expected: { text: "w1-w12w1220000", length: 20_000 },
  },
  branches: {
    output: { results: "${ steps.joined.output.one.said + steps.joined.output.two.said }" },
    steps: [
      echo("a", "${ input.word }", ["all"]),
      {
        id: "all",
        type: "parallel",
        config: {
          branches: [
            { name: "one", start: "b1", input: "${ steps.a.output.said }" },
            { name: "two", start: "rest" },
          ],
          join: "joined",
        },
      },
      echo("b1", "${ item }b1", ["b2"]),
      echo("b2", "${ steps.b1.output.said + string(size(steps.a.output.large)) }", ["joined"], 15),
      { id: "rest", type: "delay", config: { for: "10ms" }, nextSteps: ["c1"] },
      echo("c1", "${ steps.a.output.said }c1", ["joined"]),
      { id: "joined", type: "merge", config: { of: "${ steps.all.output.results }" } },
    ],
    expected: { results: "wb120000wc1" },
  },
  rounds: {
    variables: { log: { type: "array" as const, default: [], reducer: "append" as const } },
    output: { said: "${ steps.last.output.said }", rounds: "${ size(vars.log) }" },
    steps: [
      echo("a", "${ input.word }", ["each"]),
      {
        id: "each",
        type: "loop",
        config: { loopType: "count", count: 3, maxIterations: 3, concurrency: 2, body: "r1" },
        nextSteps: ["last"],
      },
      { ...echo("r1", "${ steps.a.output.said + string(index) }", ["r2"], 5), output: { log: "${ [output.said] }" } },
      echo("r2", "${ steps.r1.output.said }!", []),
      echo("last", "${ steps.each.output.results[0].said + steps.each.output.results[2].said }", []),
    ],
    expected: { said: "w0!w2!", rounds: 3 },
  },
};

/** The store as a process has it that dies right after its n-th commit: what it wrote is there, and it hears of nothing more. */
function dyingStore(store: Store, commits: number): { store: Store; isDead: () => boolean } {
  let done = 0;
  const dead = () => new SignalboxError("LEASE_LOST", "This process is dead.");
  return {
    isDead: () => done >= commits,
    store: {
      ...store,
      executions: {
        ...store.executions,
        async commit(commit) {
          if (done >= commits) throw dead();
          const handle = await store.executions.commit(commit);
          done += 1;
          if (done >= commits) throw dead();
          return handle;
        },
      },
      close: async () => {},
    },
  };
}

test.each(Object.entries(WORKFLOWS))(
  "a process that dies after any of its commits leaves a %s that another one ends as if nothing had happened",
  { timeout: 120_000 },
  async (name, { expected, ...definition }) => {
    // Closed by the engine that lives.
    const store = await openStore("sqlite::memory:", { ownerId: "survivor", clock: systemClock });
    const type = echoStep();
    await using living = await createEngine({ store, stepTypes: [type], consume: false });
    await living.define({ id: name, name, ...definition });
    const survivor = living.addWorker("survivor");
    let takenOver = 0;
    for (let commits = 1; ; commits += 1) {
      const { store: dying, isDead } = dyingStore(store, commits);
      await using dead = await createEngine({ store: dying, stepTypes: [type], consume: false });
      const { id } = await living.start(name, { word: "w" });
      const victim = dead.addWorker(`victim-${commits}`);
      victim.take({ tenant: "default", executionId: id });
      await victim.idle();
      // A timer brings it back to whoever lives.
      survivor.takeOver({ tenant: "default", executionId: id }, `victim-${commits}`);
      const ended = await living.settled(id);
      expect(ended, `after ${commits} commits: ${JSON.stringify(ended.error)}`).toMatchObject({ status: "COMPLETED", output: expected });
      const events = await living.events(id);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      takenOver += events.filter(({ data }) => data["takenFrom"] === `victim-${commits}`).length;
      if (!isDead()) break;
    }
    expect(takenOver).toBeGreaterThan(1);
  },
);
