import { expect, test } from "vitest";
import type { Execution } from "../../src/definition/execution.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const tenant = "default";
const who = (id: string, ...groups: string[]) => ({ id, tenant, groups: new Set(groups) });
const HOUR = 3_600_000;

const asking = (config: JsonObject, more: JsonObject[] = []) => ({
  id: "ask",
  name: "Ask",
  steps: [
    ...more,
    {
      id: "ask",
      type: "approval",
      config: { title: "Pay?", ...config },
      nextSteps: [{ to: "yes" }, { to: "no", on: "rejected" as const }, { to: "late", on: "timeout" as const }],
    },
    { id: "yes", type: "end" },
    { id: "no", type: "end" },
    { id: "late", type: "end" },
  ],
  output: { ask: "${ steps.ask.output }" },
});

async function asked(engine: Engine, config: JsonObject, input: JsonObject = {}) {
  await engine.define(asking(config) as never);
  const { id } = await engine.start("ask", input);
  await parked(engine, id);
  return { id, wait: await openWait(engine, id) };
}

async function parked(engine: Engine, id: string): Promise<Execution> {
  await expect.poll(async () => (await engine.executor.get(tenant, id)).isParked).toBe(true);
  return await engine.executor.get(tenant, id);
}

async function openWait(engine: Engine, executionId: string) {
  const [wait] = (await engine.executor.waits(tenant, { executionId, status: "open", pageSize: 10 })).items;
  if (!wait) throw new Error("nothing is asked");
  return wait;
}

const wayOf = async (engine: Engine, id: string) => (await engine.executor.steps(tenant, id)).at(-1)?.stepId;
const ended = async (engine: Engine, id: string) => {
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("COMPLETED");
  return (await engine.executor.get(tenant, id)).output as { ask: JsonObject };
};

test("only who is asked may decide: a principal, or somebody of a group or with a role", async () => {
  await using engine = await createEngine();
  const { id, wait } = await asked(engine, { assignees: ["ann", "group:finance", "role:cfo"], quorum: 3 });
  const approve = { decision: "approve" };
  await expect(engine.executor.answer(who("bob"), wait.id, approve)).rejects.toMatchObject({
    code: "FORBIDDEN",
    details: { reason: "not_assigned" },
  });
  // A principal cannot call itself by the name of a group it is not in.
  await expect(engine.executor.answer(who("finance"), wait.id, approve)).rejects.toMatchObject({ code: "FORBIDDEN" });
  await engine.executor.answer(who("ann"), wait.id, approve);
  await engine.executor.answer(who("carol", "group:finance"), wait.id, approve);
  await engine.executor.answer(who("dan", "role:cfo"), wait.id, approve);
  expect((await ended(engine, id)).ask["votes"]).toMatchObject([{ by: "ann" }, { by: "carol" }, { by: "dan" }]);
});

test("of fifty who vote at once exactly as many are counted as decide, and each is told the truth", async () => {
  await using engine = await createEngine();
  const { id, wait } = await asked(engine, { quorum: 3, rejectAt: 50 });
  const votes = await Promise.allSettled(
    Array.from({ length: 50 }, (_, n) => engine.executor.answer(who(`p${n}`), wait.id, { decision: "approve", reason: `because ${n}` })),
  );
  const counted = votes.flatMap((vote, n) => (vote.status === "fulfilled" ? [`p${n}`] : []));
  expect(counted).toHaveLength(3);
  for (const vote of votes) if (vote.status === "rejected") expect(vote.reason).toMatchObject({ code: "ALREADY_DECIDED" });
  const { ask } = await ended(engine, id);
  expect((ask["votes"] as { by: string }[]).map(({ by }) => by).toSorted()).toEqual(counted.toSorted());
  expect(ask).toMatchObject({ approved: true, by: (ask["votes"] as { by: string }[]).at(-1)?.by });
  expect((await engine.events(id)).filter(({ type }) => type === "wait.resolved")).toHaveLength(1);
});

test("somebody who votes twice is told how the first vote went, also when both come at once", async () => {
  await using engine = await createEngine();
  const { id, wait } = await asked(engine, { quorum: 2 });
  const twice = await Promise.allSettled([1, 2].map(() => engine.executor.answer(who("ann"), wait.id, { decision: "approve" })));
  expect(twice.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  await expect(engine.executor.answer(who("ann"), wait.id, { decision: "reject" })).rejects.toMatchObject({
    code: "ALREADY_VOTED",
    details: { decision: "approve" },
  });
  expect((await engine.executor.get(tenant, id)).isParked).toBe(true);
  expect((await engine.executor.wait(tenant, wait.id)).votes).toHaveLength(1);
});

test.each<[string, JsonObject, string[], boolean]>([
  ["one rejection rejects unless told", { quorum: 2 }, ["approve", "reject"], false],
  ["rejectAt says how many it takes", { quorum: 2, rejectAt: 2 }, ["approve", "reject", "approve"], true],
  ["too few are left to approve", { assignees: ["p0", "p1", "p2"], quorum: 2, rejectAt: 3 }, ["reject", "reject"], false],
])("%s", async (_name, config, decisions, approved) => {
  await using engine = await createEngine();
  const { id, wait } = await asked(engine, config);
  for (const [n, decision] of decisions.entries()) await engine.executor.answer(who(`p${n}`), wait.id, { decision });
  expect((await ended(engine, id)).ask).toMatchObject({ approved });
  expect(await wayOf(engine, id)).toBe(approved ? "yes" : "no");
});

test("who started the execution, or decided before, may not decide", async () => {
  await using engine = await createEngine();
  const excluded = ["${ steps.first.output.by }"];
  const first = { id: "first", type: "approval", config: { title: "First?" }, nextSteps: ["ask"] };
  await engine.define(asking({ separationOfDuties: true, excluded }, [first]) as never);
  const { id } = (await engine.executor.start(who("starter"), { workflowId: "ask", input: {} })).execution;
  await parked(engine, id);
  await engine.executor.answer(who("ann"), (await openWait(engine, id)).id, { decision: "approve" });
  await expect.poll(async () => (await openWait(engine, id).catch(() => undefined))?.stepId).toBe("ask");
  const second = await openWait(engine, id);
  for (const name of ["starter", "ann"]) {
    await expect(engine.executor.answer(who(name), second.id, { decision: "approve" })).rejects.toMatchObject({
      code: "FORBIDDEN",
      details: { reason: "excluded" },
    });
  }
  await engine.executor.answer(who("bob"), second.id, { decision: "approve" });
  expect((await ended(engine, id)).ask).toMatchObject({ by: "bob" });
});

test("an approver edits the proposed value; what was proposed and what was decided are both on record", async () => {
  await using engine = await createEngine();
  const editable = { type: "number", maximum: 100 };
  const { id, wait } = await asked(engine, { propose: "${ input.amount }", editable }, { amount: 80 });
  await expect(engine.executor.answer(who("ann"), wait.id, { decision: "approve", value: 200 })).rejects.toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/value" }],
  });
  await expect(engine.executor.answer(who("ann"), wait.id, { decision: "reject", value: 60 })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  await engine.executor.answer(who("ann"), wait.id, { decision: "approve", value: 60 });
  expect((await ended(engine, id)).ask).toMatchObject({ proposed: 80, value: 60, edited: true, by: "ann" });
  await using other = await createEngine();
  const plain = await asked(other, { propose: 5 });
  await expect(other.executor.answer(who("ann"), plain.wait.id, { decision: "approve", value: 6 })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  await other.executor.answer(who("ann"), plain.wait.id, { decision: "approve" });
  expect((await ended(other, plain.id)).ask).toMatchObject({ proposed: 5, value: 5, edited: false });
});

test("an edit is a new proposal: votes for the old one do not count, and nobody votes for what they have not seen", async () => {
  await using engine = await createEngine();
  const { id, wait } = await asked(engine, { propose: 80, editable: { type: "number" }, quorum: 2 });
  await engine.executor.answer(who("ann"), wait.id, { decision: "approve" });
  await engine.executor.answer(who("bob"), wait.id, { decision: "approve", value: 60 });
  await expect(engine.executor.answer(who("carol"), wait.id, { decision: "approve" })).rejects.toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/proposal" }],
  });
  await expect(engine.executor.answer(who("carol"), wait.id, { decision: "approve", proposal: 0 })).rejects.toMatchObject({
    code: "VERSION_MISMATCH",
    details: { proposal: 1 },
  });
  await engine.executor.answer(who("ann"), wait.id, { decision: "approve", proposal: 1 });
  expect((await ended(engine, id)).ask).toMatchObject({ proposed: 80, value: 60, by: "ann" });
});

test("when time is up others are asked as well, level by level; votes stand, and the last deadline decides", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  const { id, wait } = await asked(engine, {
    assignees: ["ann", "bob"],
    quorum: 2,
    timeout: "1h",
    onTimeout: "escalate",
    escalation: [
      { assignees: ["carol"], timeout: "2h" },
      { assignees: ["dan"], timeout: "3h" },
    ],
    onLastTimeout: "approve",
  });
  await engine.executor.answer(who("ann"), wait.id, { decision: "approve" });
  clock.advance(HOUR);
  await expect.poll(async () => (await openWait(engine, id).catch(() => undefined))?.request["level"]).toBe(2);
  const second = await openWait(engine, id);
  expect(second).toMatchObject({ request: { assignees: ["ann", "bob", "carol"], levels: 3 }, votes: [{ by: "ann" }] });
  expect(Date.parse(second.expiresAt ?? "") - clock.now()).toBe(2 * HOUR);
  expect((await engine.executor.wait(tenant, wait.id)).status).toBe("expired");
  await expect(engine.executor.answer(who("ann"), second.id, { decision: "approve" })).rejects.toMatchObject({ code: "ALREADY_VOTED" });
  await expect(engine.executor.answer(who("dan"), second.id, { decision: "approve" })).rejects.toMatchObject({ code: "FORBIDDEN" });
  clock.advance(2 * HOUR);
  await expect.poll(async () => (await openWait(engine, id).catch(() => undefined))?.request["level"]).toBe(3);
  clock.advance(3 * HOUR);
  expect((await ended(engine, id)).ask).toMatchObject({ approved: true, by: null, level: 3, votes: [{ by: "ann" }] });
  const levels = (await engine.events(id)).filter(({ type }) => type === "step.waiting").map(({ data }) => data["level"]);
  expect(levels).toEqual([1, 2, 3]);
});

test("who is asked later can still decide", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  const escalation = [{ assignees: ["group:board"], timeout: "1d" }];
  const { id } = await asked(engine, { assignees: ["ann"], timeout: "1h", onTimeout: "escalate", escalation });
  clock.advance(HOUR);
  await expect.poll(async () => (await openWait(engine, id).catch(() => undefined))?.request["level"]).toBe(2);
  await engine.executor.answer(who("eve", "group:board"), (await openWait(engine, id)).id, { decision: "reject", reason: "no" });
  expect((await ended(engine, id)).ask).toMatchObject({ approved: false, by: "eve", reason: "no", level: 2 });
});

test("people are reminded at their times, each once, whoever is at work", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  const { id, wait } = await asked(engine, { remindAfter: "1h", remindEvery: "2h", timeout: "10h" });
  const reminders = async () =>
    (await engine.events(id)).filter(({ type }) => type === "wait.reminded").map(({ data, at }) => [data["reminder"], at]);
  const since = Date.parse(wait.createdAt);
  const at = (hours: number) => new Date(since + hours * HOUR).toISOString();
  clock.advance(HOUR);
  await expect.poll(reminders).toEqual([[1, at(1)]]);
  await engine.worker.idle();
  // Another process that looks at the same moment finds nothing to do.
  const other = engine.addWorker("worker-2");
  other.take({ tenant, executionId: id });
  await other.idle();
  expect(await reminders()).toHaveLength(1);
  // Nobody looked for five hours: what was missed is one reminder, and the times stay those of the clock.
  engine.worker.wakeups.clear();
  other.wakeups.clear();
  clock.advance(5 * HOUR);
  other.take({ tenant, executionId: id });
  await other.idle();
  expect(await reminders()).toEqual([
    [1, at(1)],
    [2, at(6)],
  ]);
  expect((await engine.executor.wait(tenant, wait.id)).reminders).toEqual({ count: 2, at: at(6) });
  clock.advance(HOUR);
  await expect.poll(reminders).toHaveLength(3);
  await engine.executor.answer(who("ann"), wait.id, { decision: "approve" });
  other.take({ tenant, executionId: id });
  expect((await ended(engine, id)).ask).toMatchObject({ approved: true });
});

test("a vote that a process without votes took for the answer counts as one vote", async () => {
  await using engine = await createEngine();
  const { id, wait } = await asked(engine, { quorum: 2 });
  const at = wait.createdAt;
  const data = { decision: "approve" };
  const body = { type: "answer" as const, waitId: wait.id, answer: "given" as const, data };
  const message = { id: "m", tenant, executionId: id, at, principal: "ann", body };
  await engine.store.waits.answer(tenant, wait.id, "answered", { by: "given", principal: "ann", at, data }, message);
  engine.worker.take({ tenant, executionId: id });
  await expect.poll(async () => (await openWait(engine, id).catch(() => undefined))?.votes).toMatchObject([{ by: "ann" }]);
  await engine.executor.answer(who("bob"), (await openWait(engine, id)).id, { decision: "approve" });
  expect((await ended(engine, id)).ask).toMatchObject({ approved: true, votes: [{ by: "ann" }, { by: "bob" }] });
});

test.each<[string, JsonObject, string]>([
  ["more approvals than people", { assignees: ["ann"], quorum: 2 }, "/config/quorum"],
  ["an edit of nothing", { editable: {} }, "/config/editable"],
  ["an escalation to nobody", { timeout: "1h", onTimeout: "escalate" }, "/config/onTimeout"],
  ["an escalation nothing leads to", { escalation: [{ assignees: ["ann"], timeout: "1h" }] }, "/config/escalation"],
])("%s is found when the workflow is saved", async (_name, config, pointer) => {
  await using engine = await createEngine();
  expect(engine.workflows.validate(asking(config) as never).issues).toMatchObject([
    { code: "INVALID_CONFIG", pointer: `/steps/0${pointer}` },
  ]);
});
