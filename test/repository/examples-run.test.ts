import { expect, test } from "vitest";
import { createApp, type App } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import type { Execution } from "../../src/definition/execution.ts";
import { JsonRecord, type JsonObject } from "../../src/definition/json.ts";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { readText } from "./source.ts";

const LONGEST_MS = 10_000;

const message = (text: string) => ({ customer: "Ada", message: text });

test.each([
  ["billing", message("I was charged twice for my subscription, please refund the second payment.")],
  ["technical", message("The app shows an error and crashes when I log in.")],
  ["delivery", message("My parcel is lost, the tracking page does not move.")],
  ["general", message("How many people work for your company?")],
])("support-triage leads to the %s desk and waits for a person, without a key", async (desk, input) => {
  await using app = await withExample("support-triage");
  const parked = await run(app, "support-triage", input);
  expect(parked).toMatchObject({ status: "RUNNING", waits: [{ kind: "approval", stepId: "review" }] });
  const steps = await app.executor.steps("default", parked.id);
  expect(steps.map(({ stepId }) => stepId)).toEqual(["received", "route", desk, "draft", "review"]);
});

test("a rejected draft of support-triage is written again, an approved one is sent in the reviewer's words", async () => {
  await using app = await withExample("support-triage");
  const { id } = await run(app, "support-triage", message("Where is my parcel?"));
  await answer(app, id, { decision: "reject", reason: "Name the carrier." });
  const redrafted = await settled(app, id, ({ waits }) => waits[0]?.visit === 2);
  expect(redrafted.variables["reply"]).toContain("Name the carrier.");
  await answer(app, id, { decision: "approve", values: { reply: "It arrives tomorrow." } });
  const sent = await settled(app, id, ({ status }) => status === "COMPLETED");
  expect(sent.output).toEqual({ status: "sent", desk: "Delivery", reply: "It arrives tomorrow." });
});

test.each([
  [
    { orderId: "1", amount: 900, reason: "defective" },
    { outcome: "refunded", refund: 900, decidedBy: "policy" },
  ],
  [
    { orderId: "2", amount: 90, reason: "late" },
    { outcome: "refunded", refund: 45 },
  ],
  [
    { orderId: "3", amount: 20, reason: "other" },
    { outcome: "refunded", refund: 20 },
  ],
])("refund-request settles %j by itself", async (input, output) => {
  await using app = await withExample("refund-request");
  expect(await run(app, "refund-request", input)).toMatchObject({ status: "COMPLETED", output });
});

test("refund-request asks a person for a large sum, who may refuse", async () => {
  await using app = await withExample("refund-request");
  const { id } = await run(app, "refund-request", { orderId: "4", amount: 400, reason: "changed-mind" });
  await answer(app, id, { decision: "reject" });
  const ended = await settled(app, id, ({ status }) => status === "COMPLETED");
  expect(ended.output).toMatchObject({ outcome: "refused", refund: 0, decidedBy: "local" });
});

test("payment-reminder reminds three times and then hands the invoice over", async () => {
  await using app = await withExample("payment-reminder");
  const { id } = await run(app, "payment-reminder", { invoice: "7", amount: 9, due: "10ms", patience: "50ms" });
  const ended = await settled(app, id, ({ status }) => status === "COMPLETED");
  expect(ended.output).toEqual({ invoice: "7", status: "handed over", reminders: 3 });
});

test.each([
  ["publish", { author: { name: "Grace", trusted: true }, comment: "Buy cheap offers here!" }],
  ["publish", { author: { name: "Grace" }, comment: "Do tomatoes like wet soil?" }],
  ["hold", { author: { name: "Mallory" }, comment: "An advert: buy my cheap offers." }],
])("comment-moderation chooses %s for %j", async (choice, input) => {
  await using app = await withExample("comment-moderation");
  const { status, id } = await run(app, "comment-moderation", input);
  const steps = await app.executor.steps("default", id);
  expect({ status, chosen: steps[2]?.stepId }).toEqual({ status: "COMPLETED", chosen: choice });
});

test("comment-moderation never removes by itself: where the model is not sure, a person is asked and removing is no choice", async () => {
  await using app = await withExample("comment-moderation");
  const parked = await run(app, "comment-moderation", { author: { name: "Mallory" }, comment: "Here is her private address." });
  expect(parked.waits).toMatchObject([{ kind: "approval", stepId: "judge" }]);
  const [question] = (await app.executor.waits("default", { executionId: parked.id, pageSize: 10 })).items;
  expect(question?.request["choices"]).toEqual(["publish", "hold"]);
});

test.each([
  [
    { country: "DE", kilograms: 2 },
    { price: 5, days: 2, express: false },
  ],
  [
    { country: "IT", kilograms: 2.5, express: true },
    { price: 25.5, days: 1, express: true },
  ],
  [
    { country: "JP", kilograms: 1 },
    { price: 26, days: 12, express: false },
  ],
])("shipping-quote prices %j", async (input, output) => {
  await using app = await withExample("shipping-quote");
  expect(await run(app, "shipping-quote", input)).toMatchObject({ status: "COMPLETED", output });
});

async function withExample(id: string): Promise<App> {
  const loaded = loadConfig({ SIGNALBOX_STORE: "sqlite::memory:", SIGNALBOX_LOG: "silent", SIGNALBOX_SWEEP_MS: "50" });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  const app = await createApp({ config: loaded.config });
  await app.workflows.create(LOCAL_PRINCIPAL, WorkflowInput.parse(JSON.parse(readText(`examples/${id}.json`))));
  return app;
}

async function run({ executor }: App, workflowId: string, input: unknown): Promise<Execution> {
  const { execution } = await executor.start(LOCAL_PRINCIPAL, { workflowId, input: JsonRecord.parse(input) });
  return executor.waitForEnd("default", execution.id, { timeoutMs: LONGEST_MS });
}

/** Follows the events until the execution is as wanted. */
async function settled({ executor }: App, id: string, isWanted: (execution: Execution) => boolean): Promise<Execution> {
  for await (const _events of executor.follow("default", id, { afterSeq: 0, signal: AbortSignal.timeout(LONGEST_MS) })) {
    const execution = await executor.get("default", id);
    if (isWanted(execution)) return execution;
  }
  return executor.get("default", id);
}

async function answer({ executor }: App, executionId: string, data: JsonObject): Promise<void> {
  const [wait] = (await executor.waits("default", { executionId, status: "open", pageSize: 1 })).items;
  await executor.answer(LOCAL_PRINCIPAL, wait?.id ?? "", data);
}
