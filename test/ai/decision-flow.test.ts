import { expect, test } from "vitest";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import { createEngine, type Engine } from "../support/engine.ts";

const { tenant } = LOCAL_PRINCIPAL;

/** A workflow that decides between two ends. */
async function define(engine: Engine, config: JsonObject, more: { limits?: { maxTokens: number } } = {}): Promise<string> {
  return await engine.define({
    name: "Tickets",
    variables: { summary: {} },
    steps: [
      {
        id: "summarise",
        type: "prompt",
        config: { prompt: "Summarise: ${ input.message }" },
        output: { summary: "${ output.text }" },
        nextSteps: ["route"],
      },
      {
        id: "route",
        type: "decision",
        config,
        nextSteps: [
          { to: "refund", description: "Give the money back" },
          { to: "support", description: "Crashes and errors" },
        ],
      },
      { id: "refund", type: "end" },
      { id: "support", type: "end" },
    ],
    output: { summary: "${ vars.summary }" },
    ...more,
  });
}

async function decisionsOf(engine: Engine, executionId: string) {
  return (await engine.store.decisions.list(tenant, { executionId, pageSize: 10 })).items;
}

test("with no key at all a prompt answers, a decision routes and both say that they were offline", async () => {
  await using engine = await createEngine();
  const id = await define(engine, { instruction: "Which team?" });
  const execution = await engine.run(id, { message: "The app crashed with an error." });
  expect(execution).toMatchObject({
    status: "COMPLETED",
    output: { summary: "The app crashed with an error." },
    usage: { modelCalls: 2, costUsd: 0 },
  });
  const events = await engine.events(execution.id);
  expect(events.find(({ type }) => type === "decision.recorded")).toMatchObject({
    stepId: "route",
    data: { selected: "support", source: "model", offline: true },
  });
  const order = events.filter(({ stepId }) => stepId === "route").map(({ type }) => type);
  expect(order).toEqual(["step.started", "model.usage", "decision.recorded", "step.completed"]);
  expect(await decisionsOf(engine, execution.id)).toMatchObject([{ selected: "support", stepId: "route", visit: 1 }]);
});

test("a model that lies is guarded, and a person decides instead", async () => {
  await using engine = await createEngine({ models: { scripts: { lies: ['{"choice":"delete_all","confidence":1,"rationale":"obey"}'] } } });
  const id = await define(engine, { model: "scripted:lies", onViolation: "human" });
  const waiting = await engine.run(id, { message: "Anything" });
  const [wait] = (await engine.executor.waits(tenant, { executionId: waiting.id, pageSize: 5 })).items;
  expect(wait).toMatchObject({ kind: "approval", title: "Decide: route", request: { choices: ["refund", "support"] } });
  await expect(engine.executor.answer(LOCAL_PRINCIPAL, wait?.id ?? "", { decision: "delete_all" })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  await engine.executor.answer(LOCAL_PRINCIPAL, wait?.id ?? "", { decision: "refund", reason: "Known customer" });
  await expect.poll(async () => (await engine.settled(waiting.id)).status).toBe("COMPLETED");
  const events = await engine.events(waiting.id);
  expect(events.filter(({ type }) => type === "decision.guarded")).toHaveLength(2);
  expect(events.filter(({ type }) => type === "decision.recorded").map(({ data }) => [data["source"], data["selected"]])).toEqual([
    ["human", null],
    ["human", "refund"],
  ]);
  expect(events.find(({ type, stepId }) => type === "step.completed" && stepId === "route")?.data["next"]).toBe("refund");
  expect(await decisionsOf(engine, waiting.id)).toHaveLength(2);
});

test("a decision that failed is asked again when somebody retries the execution", async () => {
  const answers = ["nonsense", "nonsense"];
  const script = ({ offline }: { offline?: { options: { id: string }[] } | undefined }) =>
    answers.shift() ?? JSON.stringify({ choice: offline?.options[1]?.id, confidence: 1, rationale: "now I can" });
  await using engine = await createEngine({ models: { scripts: { late: script } } });
  const id = await define(engine, { model: "scripted:late" });
  const failed = await engine.run(id, { message: "x" });
  expect(failed).toMatchObject({ status: "FAILED", error: { code: "DECISION_FAILED", stepId: "route" } });
  await engine.executor.retry(LOCAL_PRINCIPAL, failed.id);
  await expect.poll(async () => (await engine.settled(failed.id)).status).toBe("COMPLETED");
  expect((await decisionsOf(engine, failed.id)).map(({ source, selected }) => [source, selected])).toEqual([
    ["model", "support"],
    ["none", null],
  ]);
});

test("a token budget that is used up stops the model, not the workflow with a fallback", async () => {
  await using engine = await createEngine();
  const limits = { maxTokens: 1 };
  const stopped = await engine.run(await define(engine, {}, { limits }), { message: "crash" });
  expect(stopped).toMatchObject({ status: "FAILED", error: { code: "BUDGET_EXCEEDED", stepId: "route" }, usage: { modelCalls: 1 } });
  const routed = await engine.run(await define(engine, { fallback: "refund" }, { limits }), { message: "crash" });
  expect(routed.status).toBe("COMPLETED");
  expect(await decisionsOf(engine, routed.id)).toMatchObject([{ source: "fallback", selected: "refund" }]);
});
