import { expect, test } from "vitest";
import { z } from "zod";
import type { JsonObject } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine, type Engine } from "../support/engine.ts";

const tenant = "default";
const ann = { id: "ann", tenant };

/** Fails while what it is told is `bad`; keeps its calls. */
function pickyStep() {
  const calls: { of: unknown; input: unknown; key: string; attempt: number }[] = [];
  const type = defineStep({
    type: "picky",
    title: "Picky",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ of: z.unknown() }),
    async run({ config, input, idempotencyKey, attempt }) {
      calls.push({ of: config.of, input, key: idempotencyKey, attempt });
      if (config.of === "bad") throw new SignalboxError("STEP_FAILED", "bad");
      return { kind: "done", output: { of: config.of as string } };
    },
  });
  return { type: type as unknown as StepType, calls };
}

const workflow = (more: object = {}, stepMore: object = {}) => ({
  id: "w",
  name: "W",
  variables: {
    of: { type: "string" as const, default: "bad" },
    seen: { type: "array" as const, default: ["first"], reducer: "append" as const },
    pin: { type: "string" as const, default: "1111", secret: true },
  },
  steps: [
    { id: "s", type: "picky", config: { of: "${ vars.of }" }, output: { seen: "${ output.of }" }, nextSteps: ["end"], ...stepMore },
    { id: "end", type: "end" },
  ],
  output: { of: "${ steps.s.output.of }", seen: "${ vars.seen }", pin: "${ vars.pin }" },
  ...more,
});

const listed = async (engine: Engine, query: object = {}) =>
  (await engine.store.executions.deadLetters(tenant, { isDismissed: false, pageSize: 50, ...query })).items.map(({ id }) => id);

test("a failed execution is on the list with its reason until it is retried, and again when it fails again", async () => {
  const { type } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(workflow());
  const { id } = await engine.run("w");
  const good = await engine.run("w", {}, { variables: { of: "good" } });
  expect(good.status).toBe("COMPLETED");
  expect(await listed(engine)).toEqual([id]);
  expect(await listed(engine, { errorCode: "STEP_FAILED", stepId: "s", workflowId: "w" })).toEqual([id]);
  for (const other of [{ errorCode: "NO_ROUTE" }, { stepId: "end" }, { workflowId: "x" }, { failedAfter: new Date().toISOString() }]) {
    expect(await listed(engine, other)).toEqual([]);
  }
  await engine.executor.retry(ann, id);
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("FAILED");
  expect(await listed(engine)).toEqual([id]);
  await engine.executor.retry(ann, id, { mode: "skip", output: { of: "by hand" } });
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", output: { of: "by hand" } });
  expect(await listed(engine)).toEqual([]);
});

test("a retry may change variables first: declared ones, of their type, whatever their reducer, and it is on record who did", async () => {
  const { type, calls } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(workflow());
  const { id } = await engine.run("w");
  for (const [variables, code, name] of [
    [{ nobody: 1 }, "UNKNOWN_VARIABLE", "nobody"],
    [{ of: 7 }, "TYPE_MISMATCH", "of"],
  ] as const) {
    await expect(engine.executor.retry(ann, id, { mode: "edit", edit: { variables } })).rejects.toMatchObject({
      code: "INVALID_INPUT",
      issues: [{ code, pointer: `/edit/variables/${name}` }],
    });
  }
  expect((await engine.executor.get(tenant, id)).status).toBe("FAILED");
  await engine.executor.retry(ann, id, { mode: "edit", edit: { variables: { of: "good", seen: ["edited"], pin: "2222" } } });
  expect(await engine.settled(id)).toMatchObject({
    status: "COMPLETED",
    output: { of: "good", seen: ["edited", "good"], pin: "2222" },
  });
  expect(new Set(calls.map(({ key }) => key)).size).toBe(1);
  const resumed = (await engine.events(id)).find((event) => event.type === "execution.resumed");
  expect(resumed?.data).toMatchObject({
    mode: "edit",
    principal: "ann",
    set: { of: "good", seen: ["edited"], pin: "[secret]" },
    edit: { stepId: "s" },
  });
  expect(await engine.executor.stateAt(tenant, id, resumed?.seq ?? 0)).toMatchObject({ variables: { of: "good", seen: ["edited"] } });
});

test("a retry may change the failed step's config and input for this visit, over further attempts and further failures", async () => {
  const { type, calls } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  const retry = { maxAttempts: 4, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false };
  await engine.define(workflow({}, { nextSteps: [{ to: "s", when: "steps.s.visits < 2" }, { to: "end" }], retry }));
  const { id } = await engine.run("w");
  expect(calls).toHaveLength(4);
  await engine.executor.retry(ann, id, { mode: "edit", edit: { input: { from: "hand" } } });
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("FAILED");
  await engine.executor.retry(ann, id, { mode: "edit", edit: { config: { of: "good" } } });
  // The next visit is configured as the definition says.
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("FAILED");
  expect(calls.findLast(({ key }) => key.endsWith("/1"))).toMatchObject({ of: "good", input: { from: "hand" } });
  expect(calls.at(-1)).toMatchObject({ of: "bad", input: {}, key: `${id}/s/2` });
  expect((await engine.executor.get(tenant, id)).overrides).toEqual({});
});

test("an edit that does not fit the step's config is a failure of the step again", async () => {
  const { type } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(workflow());
  const { id } = await engine.run("w");
  const { lastSeq } = await engine.executor.retry(ann, id, { mode: "edit", edit: { config: { nonsense: 1 } } });
  await expect.poll(async () => (await engine.executor.get(tenant, id)).lastSeq).toBeGreaterThanOrEqual(lastSeq);
  await expect.poll(async () => (await engine.executor.get(tenant, id)).error?.code).toBe("INVALID_INPUT");
  expect(await listed(engine, { errorCode: "INVALID_INPUT" })).toEqual([id]);
});

test("where branches failed side by side, an edit says which step it is for, and the variables come out of the region", async () => {
  const { type, calls } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  const branch = (id: string): JsonObject => ({ id, type: "picky", config: { of: "${ vars.of }" }, nextSteps: ["join"] });
  await engine.define({
    id: "fan",
    name: "Fan",
    variables: { of: { type: "string", default: "bad", reducer: "first" } },
    steps: [
      {
        id: "fan",
        type: "parallel",
        config: {
          branches: [
            { name: "a", start: "a" },
            { name: "b", start: "b" },
          ],
          join: "join",
        },
      },
      branch("a"),
      branch("b"),
      { id: "join", type: "end" },
    ] as never,
    output: { of: "${ vars.of }" },
  });
  const { id } = await engine.run("fan");
  const failed = (await engine.executor.get(tenant, id)).waits.filter(({ kind }) => kind === "failure").map(({ stepId }) => stepId);
  if (failed.length > 1) {
    await expect(engine.executor.retry(ann, id, { mode: "edit", edit: { config: { of: "x" } } })).rejects.toMatchObject({
      code: "INVALID_INPUT",
      issues: [{ pointer: "/edit/stepId" }],
    });
  }
  await expect(engine.executor.retry(ann, id, { mode: "edit", edit: { stepId: "join", config: {} } })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  await engine.executor.retry(ann, id, { mode: "edit", edit: { variables: { of: "good" } } });
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).not.toBe("RUNNING");
  for (let tries = 0; tries < 3 && (await engine.executor.get(tenant, id)).status === "FAILED"; tries++) {
    await engine.executor.retry(ann, id, { mode: "edit", edit: { variables: { of: "good" } } });
    await expect.poll(async () => (await engine.executor.get(tenant, id)).status).not.toBe("RUNNING");
  }
  expect(await engine.executor.get(tenant, id)).toMatchObject({ status: "COMPLETED", output: { of: "good" } });
  expect(calls.filter(({ of }) => of === "good")).toHaveLength(2);
});

test("an execution that a failure paused is on the list with its reason, and can be retried, skipped or edited like a failed one", async () => {
  const { type } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(workflow({}, { onError: { action: "pause" } }));
  const { id } = await engine.run("w");
  expect(await engine.executor.get(tenant, id)).toMatchObject({ status: "PAUSED", error: { code: "STEP_FAILED", stepId: "s" } });
  expect(await listed(engine, { errorCode: "STEP_FAILED" })).toEqual([id]);
  await engine.executor.retry(ann, id, { mode: "edit", edit: { variables: { of: "good" } } });
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", error: null });
  // One that a person paused is nothing to be looked at.
  await engine.define({ ...workflow(), id: "ask", steps: [{ id: "ask", type: "approval", config: { title: "?" } }], output: {} });
  const asked = await engine.run("ask");
  await engine.executor.pause(ann, asked.id);
  expect(await listed(engine)).toEqual([]);
  await expect(engine.executor.dismiss(ann, asked.id)).rejects.toMatchObject({ code: "CONFLICT" });
});

test("what is dismissed leaves the list with name and note, and comes back when it is retried and fails again", async () => {
  const { type } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(workflow());
  const { id } = await engine.run("w");
  const dismissed = await engine.executor.dismiss(ann, id, { note: "customer gave up" });
  expect(dismissed).toMatchObject({ status: "FAILED", dismissal: { by: "ann", note: "customer gave up" } });
  expect(await listed(engine)).toEqual([]);
  expect(await listed(engine, { isDismissed: true })).toEqual([id]);
  expect((await engine.events(id)).at(-1)).toMatchObject({ type: "execution.dismissed", data: { principal: "ann" } });
  await engine.executor.retry(ann, id);
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("FAILED");
  expect(await listed(engine)).toEqual([id]);
  expect(await listed(engine, { isDismissed: true })).toEqual([]);
});

test("an execution without a step to go on at is on the list, cannot be retried, and says so", async () => {
  const { type } = pickyStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(workflow({ onError: { action: "compensate" } }));
  const { id } = await engine.run("w");
  expect(await listed(engine)).toEqual([id]);
  await expect(engine.executor.retry(ann, id)).rejects.toMatchObject({ code: "CONFLICT" });
  await engine.executor.dismiss(ann, id);
  expect(await listed(engine)).toEqual([]);
});
