import { expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { emptyParts } from "../../src/executor/empty-commit.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { boundedLabel, OTHER } from "../../src/telemetry/bounded-label.ts";
import { commitMetrics } from "../../src/telemetry/commit-metrics.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { observedStore } from "../../src/telemetry/observed-store.ts";
import { createEngine, testInMemory, type Engine } from "../support/engine.ts";

async function measured(): Promise<{
  engine: Engine;
  value(name: string, labels?: Record<string, string>): Promise<number>;
  series(): Promise<string[]>;
}> {
  const metrics = createMetrics();
  const store = observedStore(await openStore("sqlite::memory:", { ownerId: "worker-1", clock: systemClock }), {
    observers: [commitMetrics(metrics)],
    clock: systemClock,
  });
  const lines = async () => (await metrics.registry.metrics()).split("\n").filter((line) => /^(workflow|signalbox)_/.test(line));
  return {
    engine: await createEngine({ store }),
    series: lines,
    async value(name, labels = {}) {
      const wanted = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
      const found = (await lines()).find((line) => line.split(/[{ ]/)[0] === name && wanted.every((label) => line.includes(label)));
      return Number(found?.split(" ").at(-1) ?? 0);
    },
  };
}

const LINE = {
  id: "line",
  name: "Line",
  steps: [
    { id: "begin", type: "start", nextSteps: ["one"] },
    { id: "one", type: "transform", config: { set: { value: 1 } }, nextSteps: ["finish"] },
    { id: "finish", type: "end" },
  ],
};
const BROKEN = {
  id: "broken",
  name: "Broken",
  steps: [
    { id: "one", type: "transform", config: { set: { value: "${ input.missing.field }" } }, nextSteps: ["finish"] },
    { id: "finish", type: "end" },
  ],
};
const ROUTE = {
  id: "route",
  name: "Route",
  steps: [
    {
      id: "decide",
      type: "decision",
      config: { instruction: "Where does this message belong?", fallback: "support" },
      nextSteps: [
        { to: "billing", description: "invoice, payment, charged" },
        { to: "support", description: "anything else" },
      ],
    },
    { id: "billing", type: "end" },
    { id: "support", type: "end" },
  ],
};

testInMemory("ends of executions and steps are counted with their success, once each", async () => {
  const { engine, value } = await measured();
  await using _engine = engine;
  for (const definition of [LINE, BROKEN]) await engine.define({ ...definition, status: "active" });
  for (const id of ["line", "line", "broken"]) await engine.run(id, {});
  await engine.worker.idle();
  expect(await value("workflow_execution_time_count", { workflow: "line", status: "COMPLETED" })).toBe(2);
  expect(await value("workflow_execution_time_count", { workflow: "broken", status: "FAILED" })).toBe(1);
  expect(await value("workflow_step_completion", { type: "transform", success: "true" })).toBe(2);
  expect(await value("workflow_step_completion", { type: "transform", success: "false" })).toBe(1);
  expect(await value("signalbox_executions_started_total", { trigger: "manual" })).toBe(3);
  expect(await value("signalbox_claim_seconds_count")).toBe(3);
  expect(await value("signalbox_commit_seconds_count", { outcome: "done" })).toBeGreaterThanOrEqual(3);
  expect(await value("signalbox_lease_takeovers_total")).toBe(0);
});

testInMemory("a duplicate start counts as none", async () => {
  const { engine, value } = await measured();
  await using _engine = engine;
  await engine.define({ ...LINE, status: "active" });
  for (let start = 0; start < 3; start++) await engine.run("line", {}, { idempotencyKey: "same" });
  expect(await value("signalbox_executions_started_total")).toBe(1);
  expect(await value("workflow_execution_time_count")).toBe(1);
});

testInMemory("decisions, their answers and the model's tokens are counted", async () => {
  const { engine, value } = await measured();
  await using _engine = engine;
  await engine.define({ ...ROUTE, status: "active" });
  await engine.run("route", { message: "my payment was charged twice" });
  expect(await value("signalbox_decisions_total", { source: "model" })).toBe(1);
  expect(await value("signalbox_decision_confidence_count")).toBe(1);
  expect(await value("signalbox_decision_attempts_total", { outcome: "accepted" })).toBe(1);
  expect(await value("signalbox_model_tokens_total", { direction: "in" })).toBeGreaterThan(10);
});

testInMemory("an execution taken from a worker that vanished is a takeover, and the late one a lost lease", async () => {
  const { engine, value } = await measured();
  await using _engine = engine;
  await engine.define({
    ...ROUTE,
    steps: [
      { id: "wait", type: "delay", config: { for: "50ms" }, nextSteps: ["billing"] },
      { id: "billing", type: "end" },
    ],
    status: "active",
  });
  const { id, tenant } = await engine.start("route");
  await engine.settled(id);
  await engine.worker.idle();
  const handle = await engine.store.executions.get(tenant, id);
  if (!handle) throw new Error("it is gone");
  // As a worker leaves it that was killed: owned, and the lease over.
  const { epoch, lastSeq } = handle.execution;
  const abandoned = { ...handle.execution, epoch: epoch + 1, owner: "dead", leaseUntil: Date.now() - 1, wakeAt: Date.now() - 1 };
  const commit = {
    ...emptyParts(),
    events: [],
  };
  await engine.store.executions.commit({
    guard: { epoch, lastSeq, token: handle.token },
    execution: { ...abandoned, status: "RUNNING" },
    ...commit,
  });
  engine.worker.take({ tenant, executionId: id });
  await engine.worker.idle();
  expect(await value("signalbox_lease_takeovers_total")).toBe(1);
  const late = engine.store.executions.commit({ guard: { epoch: epoch + 1, lastSeq, token: null }, execution: abandoned, ...commit });
  await expect(late).rejects.toMatchObject({ code: "LEASE_LOST" });
  expect(await value("signalbox_leases_lost_total")).toBe(1);
  expect(await value("signalbox_commit_seconds_count", { outcome: "lost" })).toBe(1);
});

test("a label keeps its first values and shares one name among the rest", () => {
  const label = boundedLabel(2);
  expect(["a", "b", "a", "c", "d", "b"].map(label)).toEqual(["a", "b", "a", OTHER, OTHER, "b"]);
});

testInMemory("no number of workflows makes more series than the bound", async () => {
  const { engine, series } = await measured();
  await using _engine = engine;
  for (let index = 0; index < 230; index++) await engine.define({ ...LINE, id: `line-${index}`, status: "active" });
  await Promise.all(Array.from({ length: 230 }, (_, index) => engine.run(`line-${index}`)));
  const workflows = new Set((await series()).flatMap((line) => /workflow="([^"]+)"/.exec(line)?.[1] ?? []));
  expect(workflows.size).toBe(201);
  expect(workflows).toContain(OTHER);
  expect((await series()).join("\n")).not.toMatch(/execution(Id|_id)=|tenant=|step(Id|_id)=/);
});
