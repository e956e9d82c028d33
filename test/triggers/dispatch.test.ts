import { expect, test } from "vitest";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { SignalboxError } from "../../src/errors.ts";
import type { IncomingEvent } from "../../src/definition/received-event.ts";
import { manualClock } from "../support/manual-clock.ts";
import { ACTOR, aProcess } from "./support.ts";

const paid = (over: Partial<IncomingEvent> = {}): IncomingEvent => ({
  id: "1",
  source: "/shop",
  type: "shop.order.paid",
  data: { order: "4711", amount: 30 },
  ...over,
});
const onPaid = (more: object = {}, config: object = {}) => ({
  id: "paid",
  type: "event",
  config: { eventType: "shop.order.paid", ...config },
  ...more,
});

test("the same event twenty times at once in two processes is one execution", async () => {
  const clock = manualClock();
  const first = await aProcess({ clock });
  const second = await aProcess({ clock, store: first.store });
  await first.define({ id: "ship", triggers: [onPaid()] });
  const receipts = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? first : second).triggers.dispatch("default", paid())));
  const statuses = receipts.flatMap((outcomes) => outcomes.map(({ status }) => status));
  expect(statuses.filter((status) => status === "STARTED")).toHaveLength(1);
  expect(statuses.filter((status) => status === "DUPLICATE")).toHaveLength(19);
  expect(await first.started()).toHaveLength(1);
  expect(new Set(receipts.map((outcomes) => outcomes[0]?.executionId)).size).toBe(1);
});

test("another id, another source or another trigger is another execution", async () => {
  const { define, triggers, started } = await aProcess({ clock: manualClock() });
  await define({ id: "ship", triggers: [onPaid(), onPaid({ id: "again" })] });
  await define({ id: "thank", triggers: [onPaid()] });
  for (const event of [paid(), paid({ id: "2" }), paid({ source: "/other" })]) await triggers.dispatch("default", event);
  expect((await started()).map(({ workflowId, trigger }) => `${workflowId}/${trigger.id}`).toSorted()).toEqual(
    Array.from({ length: 3 }, () => ["ship/again", "ship/paid", "thank/paid"])
      .flat()
      .toSorted(),
  );
});

test("events with one dedupeKey start one execution, whatever their ids", async () => {
  const { define, triggers, started } = await aProcess({ clock: manualClock() });
  await define({ id: "ship", triggers: [onPaid({ dedupeKey: "event.data.order" })] });
  for (const id of ["1", "2", "3"]) await triggers.dispatch("default", paid({ id }));
  await triggers.dispatch("default", paid({ id: "4", data: { order: "4712" } }));
  expect(await started()).toHaveLength(2);
});

test("an execution gets the mapped input, the event and its origin; the data is its input without a mapping", async () => {
  const { define, triggers, started } = await aProcess({ clock: manualClock() });
  await define({
    id: "mapped",
    triggers: [onPaid({ input: { id: "${ event.data.order }", text: "of ${ event.source }", by: "${ trigger.id }" } })],
  });
  await define({ id: "plain", triggers: [onPaid()] });
  await triggers.dispatch("default", paid({ subject: "s", extensions: { region: "eu" } }));
  await triggers.dispatch("default", paid({ id: "2", data: ["no object"] }));
  const [mapped, plain] = ["mapped", "plain"].map(async (id) => (await started()).filter(({ workflowId }) => workflowId === id));
  expect((await mapped)?.[0]).toMatchObject({
    input: { id: "4711", text: "of /shop", by: "paid" },
    startedBy: "trigger:mapped/paid",
    trigger: {
      type: "event",
      id: "paid",
      event: { id: "1", type: "shop.order.paid", subject: "s", time: null, extensions: { region: "eu" } },
    },
  });
  expect((await plain)?.map(({ input }) => input)).toEqual([{ order: "4711", amount: 30 }, {}]);
});

test("what does not apply is told with its reason, and what cannot be taken with its code", async () => {
  const { define, triggers, started } = await aProcess({ clock: manualClock() });
  await define({
    id: "w",
    input: { type: "object", properties: { amount: { type: "number", maximum: 50 } } },
    triggers: [
      onPaid({ id: "large", condition: "event.data.amount > 100" }),
      onPaid({ id: "broken", condition: "event.data.missing == 1" }),
      onPaid({ id: "keyless", dedupeKey: "event.subject" }),
      onPaid({ id: "typed" }, { schema: { type: "object", required: ["customer"] } }),
      onPaid({ id: "refused", input: { amount: 51 } }),
      onPaid({ id: "off", enabled: false }),
      onPaid({ id: "elsewhere" }, { source: "/elsewhere" }),
    ],
  });
  const outcomes = await triggers.dispatch("default", paid());
  expect(outcomes.map(({ triggerId, status, code }) => [triggerId, status, code])).toEqual([
    ["large", "SKIPPED", null],
    ["broken", "REFUSED", "EXPRESSION_FAILED"],
    ["keyless", "REFUSED", "INVALID_INPUT"],
    ["typed", "REFUSED", "INVALID_INPUT"],
    ["refused", "REFUSED", "INVALID_INPUT"],
  ]);
  expect(outcomes.every(({ reason }) => reason.length > 10)).toBe(true);
  expect(await started()).toEqual([]);
});

test("an event nothing listens to, and one of another tenant, start nothing and are no error", async () => {
  const { define, triggers, started } = await aProcess({ clock: manualClock() });
  await define({ id: "w", triggers: [onPaid()] });
  expect(await triggers.dispatch("default", paid({ type: "shop.order.lost" }))).toEqual([]);
  expect(await triggers.dispatch("another", paid())).toEqual([]);
  expect(await started()).toEqual([]);
});

test("a workflow that is no draft any more listens, an archived one does not, at once in the process that wrote it", async () => {
  const { define, triggers, workflows } = await aProcess({ clock: manualClock() });
  await define({ id: "w", status: "draft", triggers: [onPaid()] });
  const count = async (id: string) => (await triggers.dispatch("default", paid({ id }))).length;
  expect(await count("1")).toBe(0);
  const body = WorkflowInput.parse({
    name: "w",
    status: "active",
    steps: [{ id: "a", type: "transform", config: { set: {} } }],
    triggers: [onPaid()],
  });
  await workflows.update(ACTOR, "w", body);
  expect(await count("2")).toBe(1);
  await workflows.archive(ACTOR, "w");
  expect(await count("3")).toBe(0);
});

test("workflows are not read per event, and another process's write counts at once", async () => {
  const clock = manualClock();
  const first = await aProcess({ clock });
  let lists = 0;
  const counting = {
    ...first.store,
    workflows: {
      ...first.store.workflows,
      list: (...call: Parameters<typeof first.store.workflows.list>) => {
        lists += 1;
        return first.store.workflows.list(...call);
      },
    },
  };
  const second = await aProcess({ clock, store: counting });
  const count = async (id: string) => (await second.triggers.dispatch("default", paid({ id }))).length;
  for (let n = 0; n < 50; n++) await count(`${n}`);
  expect(lists).toBe(1);
  await first.define({ id: "w", triggers: [onPaid()] });
  expect(await count("after")).toBe(1);
  expect(lists).toBe(2);
  // A process of the version before tells of no change.
  clock.advance(30_000);
  expect(await count("later")).toBe(1);
  expect(lists).toBe(3);
});

test("a store that cannot be reached rejects the event, and sending it again starts what is missing once", async () => {
  const clock = manualClock();
  const { store, define, started } = await aProcess({ clock });
  for (const id of ["a", "b"]) await define({ id, triggers: [onPaid()] });
  let failures = 1;
  const failing: typeof store.executions.create = async (execution, events) => {
    if (execution.workflowId === "b" && failures-- > 0) throw new SignalboxError("UNAVAILABLE");
    return await store.executions.create(execution, events);
  };
  const { triggers } = await aProcess({ clock, store: { ...store, executions: { ...store.executions, create: failing } } });
  await expect(triggers.dispatch("default", paid())).rejects.toThrow(expect.objectContaining({ code: "UNAVAILABLE" }) as Error);
  const outcomes = await triggers.dispatch("default", paid());
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["DUPLICATE", "STARTED"]);
  expect(await started()).toHaveLength(2);
});

test("a test fire says what would come of an event and starts nothing; a real one starts the same", async () => {
  const { define, triggers, workflows, started } = await aProcess({ clock: manualClock() });
  await define({
    id: "w",
    input: { type: "object", properties: { order: { type: "string" } } },
    triggers: [onPaid({ condition: "event.data.amount > 10" }), { type: "manual" }],
  });
  const workflow = await workflows.get("default", "w");
  const fire = (event: Partial<IncomingEvent>, dryRun: boolean, id = "paid") => triggers.fire(workflow, id, event, { dryRun });
  expect(await fire({ data: { amount: 3 } }, true)).toMatchObject({ status: "SKIPPED", reason: "Its condition is false." });
  expect(await fire({ data: { amount: 30, order: 7 } }, true)).toMatchObject({ status: "REFUSED", code: "INVALID_INPUT" });
  const told = await fire(paid(), true);
  expect(told.status).toBe("STARTED");
  expect(await started()).toEqual([]);
  expect(await fire(paid(), false)).toMatchObject({ status: "STARTED", executionId: told.executionId });
  expect(await fire(paid(), true)).toMatchObject({ status: "DUPLICATE" });
  expect(await fire({ data: { order: "1" } }, false, "manual")).toMatchObject({ status: "STARTED" });
  expect((await started()).map(({ trigger }) => trigger.type).toSorted()).toEqual(["event", "manual"]);
  await expect(fire({}, true, "nothing")).rejects.toThrow(expect.objectContaining({ code: "NOT_FOUND" }) as Error);
});
