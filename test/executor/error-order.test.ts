import { expect, test } from "vitest";
import { z } from "zod";
import type { Json, JsonObject } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine } from "../support/engine.ts";
import { startOpenAIServer } from "../support/openai-server.ts";
import { manualClock } from "../support/manual-clock.ts";

const tenant = "default";

/** Fails as often as it is told, and remembers what it was called for. */
function flakyStep(failures: number, code: "STEP_FAILED" | "STEP_TIMEOUT" | "INVALID_INPUT" = "STEP_FAILED") {
  const calls: string[] = [];
  const type = defineStep({
    type: "flaky",
    title: "Flaky",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ undo: z.unknown().optional() }),
    async run({ step, config }): Promise<{ kind: "done"; output: Json }> {
      calls.push(step.id);
      if (config.undo === undefined && calls.filter((id) => id === "s").length <= failures && step.id === "s") {
        throw new SignalboxError(code, "no");
      }
      return { kind: "done", output: step.id };
    },
  });
  return { type: type as unknown as StepType, calls };
}

const retry = { maxAttempts: 2, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false };
const onErrorWay = { to: "repair", on: "error" };
const onTimeoutWay = { to: "late", on: "timeout" };
const continues = { action: "continue", value: "instead" };
const goes = (to: string) => ({ action: "goto", goto: to });

interface Case {
  name: string;
  failures: number;
  code?: "STEP_TIMEOUT" | "INVALID_INPUT";
  step?: JsonObject;
  ways?: JsonObject[];
  workflow?: JsonObject;
  /** The failing step stands in a branch, whose step has this policy. */
  region?: JsonObject;
  /** Calls of the step, status, and steps visited after it. */
  calls: number;
  status: string;
  visits: string[];
}

/** Each row has everything that comes later in the order as well: what comes first must win. */
const later = { ways: [onErrorWay, onTimeoutWay], step: { onError: continues }, workflow: goes("rescue") };
const ORDER: Case[] = [
  { name: "an attempt that succeeds needs nothing", failures: 0, ...later, calls: 1, status: "COMPLETED", visits: ["ok"] },
  { name: "retry comes first", failures: 1, ...later, step: { retry, onError: continues }, calls: 2, status: "COMPLETED", visits: ["ok"] },
  {
    name: "then a way on error",
    failures: 9,
    ...later,
    step: { retry, onError: continues },
    calls: 2,
    status: "COMPLETED",
    visits: ["repair"],
  },
  { name: "or on timeout", failures: 9, code: "STEP_TIMEOUT", ...later, calls: 1, status: "COMPLETED", visits: ["late"] },
  {
    name: "what is not retryable goes there at once",
    failures: 9,
    code: "INVALID_INPUT",
    ...later,
    step: { retry },
    calls: 1,
    status: "COMPLETED",
    visits: ["repair"],
  },
  {
    name: "then the step's policy: continue",
    failures: 9,
    step: { onError: continues },
    workflow: goes("rescue"),
    calls: 1,
    status: "COMPLETED",
    visits: ["ok"],
  },
  {
    name: "goto",
    failures: 9,
    step: { onError: goes("repair") },
    workflow: goes("rescue"),
    calls: 1,
    status: "COMPLETED",
    visits: ["repair"],
  },
  { name: "pause", failures: 9, step: { onError: { action: "pause" } }, workflow: goes("rescue"), calls: 1, status: "PAUSED", visits: [] },
  {
    name: "compensate",
    failures: 9,
    step: { onError: { action: "compensate" } },
    workflow: goes("rescue"),
    calls: 1,
    status: "FAILED",
    visits: ["undoB", "undoA"],
  },
  { name: "fail", failures: 9, step: { onError: { action: "fail" } }, workflow: goes("rescue"), calls: 1, status: "FAILED", visits: [] },
  {
    name: "then the region",
    failures: 9,
    region: { onError: goes("ok") },
    workflow: goes("rescue"),
    calls: 1,
    status: "COMPLETED",
    visits: ["ok"],
  },
  {
    name: "then the workflow, also for a region",
    failures: 9,
    region: {},
    workflow: goes("rescue"),
    calls: 1,
    status: "COMPLETED",
    visits: ["rescue"],
  },
  { name: "then the workflow", failures: 9, workflow: goes("rescue"), calls: 1, status: "COMPLETED", visits: ["rescue"] },
  { name: "and then it has failed", failures: 9, calls: 1, status: "FAILED", visits: [] },
];

test.each(ORDER)("$name", async ({ failures, code, step = {}, ways = [], workflow, region, calls: times, status, visits }) => {
  const { type, calls } = flakyStep(failures, code);
  await using engine = await createEngine({ stepTypes: [type] });
  const failing = { id: "s", type: "flaky", nextSteps: region ? ["ok"] : ["ok", ...ways], ...step };
  const around = region
    ? [
        {
          id: "fan",
          type: "parallel",
          config: {
            branches: [
              { name: "a", start: "s" },
              { name: "b", start: "other" },
            ],
            join: "ok",
          },
          ...region,
        },
        { id: "other", type: "flaky", nextSteps: ["ok"] },
      ]
    : [];
  const rest = ["ok", "repair", "late", "rescue"].filter((id) => id === "ok" || JSON.stringify([failing, workflow]).includes(id));
  await engine.define({
    id: "w",
    name: "W",
    ...(workflow && { onError: workflow }),
    steps: [
      { id: "a", type: "flaky", compensate: "undoA", nextSteps: ["b"] },
      { id: "b", type: "flaky", compensate: "undoB", nextSteps: [region ? "fan" : "s"] },
      ...around,
      failing,
      ...rest.map((id) => ({ id, type: "flaky" })),
      { id: "undoA", type: "flaky", config: { undo: "${ item }" } },
      { id: "undoB", type: "flaky", config: { undo: "${ item }" } },
    ],
  } as never);
  const { id } = await engine.start("w");
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe(status);
  expect(calls.filter((called) => called === "s")).toHaveLength(times);
  expect(calls.slice(calls.lastIndexOf("s") + 1).filter((called) => called !== "other")).toEqual(visits);
  const dead = (await engine.store.executions.deadLetters(tenant, { isDismissed: false, pageSize: 5 })).items;
  expect(dead.map((execution) => execution.id)).toEqual(status === "COMPLETED" ? [] : [id]);
});

test.each([
  [{ maxTokens: 5 }, "BUDGET_EXCEEDED"],
  [{ maxCostUsd: 0.5 }, "BUDGET_EXCEEDED"],
  [{ maxSteps: 1 }, "MAX_STEPS_EXCEEDED"],
])("what is used up stops the next call before it is made, with its own error: %j", async (limits, code) => {
  await using server = await startOpenAIServer({ content: "Hello", usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 } });
  const prices = { "openai:one": { in: 100_000, out: 100_000 } };
  await using engine = await createEngine({ models: { openai: { baseUrl: server.baseUrl }, prices } });
  const prompt = (id: string, nextSteps: string[]) => ({ id, type: "prompt", config: { model: "openai:one", prompt: "Hello" }, nextSteps });
  await engine.define({ id: "w", name: "W", limits, steps: [prompt("ask", ["again"]), prompt("again", [])] });
  expect((await engine.run("w")).error).toMatchObject({ code, stepId: "again" });
  expect(server.requests).toHaveLength(1);
});

test("an execution that is past its time does not begin a step, and no policy goes on from there", async () => {
  const clock = manualClock();
  const { type, calls } = flakyStep(0);
  await using engine = await createEngine({ stepTypes: [type], clock });
  await engine.define({
    id: "w",
    name: "W",
    limits: { maxDuration: "1m" },
    onError: { action: "goto", goto: "rescue" },
    steps: [
      { id: "wait", type: "delay", config: { for: "1h" }, nextSteps: ["s"] },
      { id: "s", type: "flaky" },
      { id: "rescue", type: "flaky" },
    ],
  });
  const { id } = await engine.start("w");
  await expect.poll(async () => (await engine.executor.get(tenant, id)).isParked).toBe(true);
  clock.advance(3_600_000);
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("FAILED");
  expect((await engine.executor.get(tenant, id)).error?.code).toBe("MAX_DURATION_EXCEEDED");
  expect(calls).toEqual([]);
});
