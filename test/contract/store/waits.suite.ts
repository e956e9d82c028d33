import { describe, expect, test } from "vitest";
import type { Vote } from "../../../src/definition/voting.ts";
import type { WaitAnswer } from "../../../src/definition/wait.ts";
import type { OpenWait, TaskLease } from "../../../src/definition/wait.ts";
import { aMessage, allPages, at, aWait, claimed, commitOn, newTenant, START, start } from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function waitsSuite(adapter: StoreUnderTest): void {
  describe("open waits", () => {
    const { use } = sharedStore(adapter);
    const answerOf = (principal: string): WaitAnswer => ({
      by: "given",
      principal,
      at: at(7),
      data: { decision: "approve", by: principal },
    });

    async function opened(over: Partial<OpenWait>[], tenant = newTenant()) {
      const handle = await claimed(use(), await start(use(), { tenant }), "a");
      const waits = over.map((each) => aWait(handle.execution, each));
      return { waits, handle: await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { openWaits: waits })) };
    }

    test("an answer is kept and sends its message in the same commit", async () => {
      const {
        waits: [wait],
        handle,
      } = await opened([{ id: "approve/1" }]);
      if (!wait) throw new Error("no wait");
      const { tenant, id } = handle.execution;
      const message = aMessage({ tenant, id }, { body: { type: "answer", waitId: wait.id, answer: "given", data: {} } });
      const answered = await use().waits.answer(tenant, wait.id, "answered", answerOf("ada"), message);
      const expected = { ...wait, status: "answered", answer: answerOf("ada") };
      expect(answered).toEqual({ accepted: true, wait: expected });
      expect(await use().waits.get(tenant, wait.id)).toEqual(expected);
      expect(await use().inbox.list(tenant, id)).toEqual([message]);
    });

    test("of fifty answers at once the first is taken, and only its message is sent", async () => {
      const {
        waits: [wait],
        handle,
      } = await opened([{}]);
      if (!wait) throw new Error("no wait");
      const { tenant, id } = handle.execution;
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          use().waits.answer(tenant, wait.id, "answered", answerOf(`p${n}`), aMessage({ tenant, id }, { id: `m${n}`, principal: `p${n}` })),
        ),
      );
      const winners = results.filter((result) => result?.accepted);
      expect(winners).toHaveLength(1);
      const winner = winners[0]?.wait.answer?.principal;
      for (const result of results) expect(result?.wait).toMatchObject({ status: "answered", answer: { principal: winner } });
      expect((await use().inbox.list(tenant, id)).map((message) => message.principal)).toEqual([winner]);
    });

    test("waits on a topic are those that are open, of the tenant, in pages", async () => {
      const topic = "topic-1";
      const { waits, handle } = await opened([
        { id: "b", topic },
        { id: "a", topic },
        { id: "c", topic: "topic-2" },
        { id: "d" },
        { id: "e", topic },
      ]);
      const { tenant } = handle.execution;
      await opened([{ id: "f", topic }]);
      const answer = answerOf("ada");
      await use().waits.answer(tenant, "e", "answered", answer, null);
      expect(await use().waits.onTopic(tenant, topic, { limit: 10 })).toEqual([waits[1], waits[0]]);
      expect(await use().waits.onTopic(tenant, topic, { limit: 1 })).toEqual([waits[1]]);
      expect(await use().waits.onTopic(tenant, topic, { afterId: "a", limit: 10 })).toEqual([waits[0]]);
    });

    test.runIf(adapter.openSecond)("two handles that answer at once have one winner", async () => {
      await withSecond(adapter, use(), async (second) => {
        const {
          waits: [wait],
          handle,
        } = await opened([{}]);
        if (!wait) throw new Error("no wait");
        const results = await Promise.all(
          [use(), second].flatMap((store, index) =>
            Array.from({ length: 10 }, (_, n) =>
              store.waits.answer(handle.execution.tenant, wait.id, "answered", answerOf(`p${index}-${n}`), null),
            ),
          ),
        );
        expect(results.filter((result) => result?.accepted)).toHaveLength(1);
        expect(new Set(results.map((result) => result?.wait.answer?.principal)).size).toBe(1);
      });
    });

    const voteOf = (by: string, over: Partial<Vote> = {}): Vote => ({
      id: `vote-${by}`,
      by,
      at: at(3),
      decision: "approve",
      reason: null,
      values: null,
      proposal: 0,
      isEdit: false,
      value: null,
      ...over,
    });

    test("a lease is taken by one, changed by who knows it, and answers with its message in the same commit", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const wait = aWait(handle.execution, { kind: "task", topic: "task:mail" });
      await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { openWaits: [wait] }));
      const leaseOf = (revision: number, worker: string): TaskLease => ({
        revision,
        change: `${worker}-${revision}`,
        token: revision,
        worker,
        until: START + revision,
      });
      const takes = await Promise.all(Array.from({ length: 10 }, (_, n) => use().waits.lease(tenant, wait.id, leaseOf(1, `w${n}`), null)));
      const [taken, ...others] = takes.filter((take) => take?.accepted);
      expect(others).toEqual([]);
      const kept = { ...wait, lease: leaseOf(1, taken?.wait.lease?.worker ?? "") };
      expect(await use().waits.onTopic(tenant, "task:mail", { limit: 5 })).toEqual([kept]);
      expect(await use().waits.lease(tenant, wait.id, leaseOf(3, "late"), null)).toEqual({ accepted: false, wait: kept });
      const answer = { by: "given" as const, principal: "w", at: at(5), data: { outcome: "completed" } };
      const message = aMessage({ tenant, id }, { id: `${wait.id}-answer` });
      const done: OpenWait = { ...wait, status: "answered", answer, lease: leaseOf(2, "w") };
      expect(await use().waits.lease(tenant, wait.id, leaseOf(2, "w"), { answer, message })).toEqual({ accepted: true, wait: done });
      expect(await use().waits.lease(tenant, wait.id, leaseOf(3, "late"), { answer, message: aMessage({ tenant, id }) })).toEqual({
        accepted: false,
        wait: done,
      });
      expect(await use().inbox.list(tenant, id)).toEqual([message]);
      expect(await use().waits.onTopic(tenant, "task:mail", { limit: 5 })).toEqual([]);
      expect(await use().waits.lease(tenant, "none", leaseOf(1, "w"), null)).toBeUndefined();
    });

    test("a vote counts where no other came since, and the one that decides answers and sends its message in the same commit", async () => {
      const {
        waits: [wait],
        handle,
      } = await opened([{}]);
      if (!wait) throw new Error("no wait");
      const { tenant, id } = handle.execution;
      const odd = voteOf("ada", { reason: "\u0000 \ud800 'x'", values: { __proto__x: [[1]], n: 2 ** 53 } });
      expect(await use().waits.vote(tenant, wait.id, odd, 0, null)).toEqual({ accepted: true, wait: { ...wait, votes: [odd] } });
      // Judged by what is not true any more.
      expect(await use().waits.vote(tenant, wait.id, voteOf("bob"), 0, null)).toEqual({ accepted: false, wait: { ...wait, votes: [odd] } });
      expect(await use().inbox.list(tenant, id)).toEqual([]);
      const message = aMessage({ tenant, id });
      const decision = { answer: answerOf("bob"), message };
      const votes = [odd, voteOf("bob")];
      const answered: OpenWait = { ...wait, status: "answered", answer: answerOf("bob"), votes };
      expect(await use().waits.vote(tenant, wait.id, voteOf("bob"), 1, decision)).toEqual({ accepted: true, wait: answered });
      expect(await use().waits.get(tenant, wait.id)).toEqual(answered);
      expect(await use().inbox.list(tenant, id)).toEqual([message]);
      expect(await use().waits.vote(tenant, wait.id, voteOf("late"), 2, null)).toEqual({ accepted: false, wait: answered });
      expect(await use().waits.vote(tenant, "nobody", voteOf("ada"), 0, decision)).toBeUndefined();
      expect(await use().waits.answer(tenant, wait.id, "expired", answerOf("clock"), null)).toMatchObject({ accepted: false });
    });

    test("of twenty votes at once that were judged alike one counts", async () => {
      const {
        waits: [wait],
        handle,
      } = await opened([{}]);
      if (!wait) throw new Error("no wait");
      const { tenant } = handle.execution;
      const results = await Promise.all(Array.from({ length: 20 }, (_, n) => use().waits.vote(tenant, wait.id, voteOf(`p${n}`), 0, null)));
      expect(results.filter((result) => result?.accepted)).toHaveLength(1);
      expect((await use().waits.get(tenant, wait.id))?.votes).toHaveLength(1);
    });

    test("a commit notes reminders beside the votes, and of a wait it closes as well", async () => {
      const {
        waits: [first, second],
        handle,
      } = await opened([{}, {}]);
      if (!first || !second) throw new Error("no waits");
      const { tenant } = handle.execution;
      await use().waits.vote(tenant, first.id, voteOf("ada"), 0, null);
      const reminders = { count: 2, at: at(5) };
      const remindedWaits = [first, second].map(({ id }) => ({ id, reminders }));
      const closeWaits = [{ id: second.id, status: "cancelled" as const }];
      await use().executions.commit(commitOn(handle, { lastSeq: 4 }, { remindedWaits, closeWaits }));
      expect(await use().waits.get(tenant, first.id)).toMatchObject({ status: "open", votes: [{ by: "ada" }], reminders });
      expect(await use().waits.get(tenant, second.id)).toMatchObject({ status: "cancelled", reminders });
      expect(await use().waits.vote(tenant, first.id, voteOf("bob"), 1, null)).toMatchObject({ accepted: true, wait: { reminders } });
    });

    test("a wait can expire without a message, and is answered no more", async () => {
      const {
        waits: [wait],
        handle,
      } = await opened([{}]);
      if (!wait) throw new Error("no wait");
      const { tenant } = handle.execution;
      const due: WaitAnswer = { by: "due", principal: null, at: at(9), data: {} };
      expect(await use().waits.answer(tenant, wait.id, "expired", due, null)).toMatchObject({
        accepted: true,
        wait: { status: "expired" },
      });
      expect(await use().waits.answer(tenant, wait.id, "answered", answerOf("late"), null)).toMatchObject({
        accepted: false,
        wait: { status: "expired", answer: due },
      });
    });

    test("an unknown wait is undefined, and its message is not sent", async () => {
      const { handle } = await opened([]);
      const { tenant, id } = handle.execution;
      expect(await use().waits.answer(tenant, "nobody", "answered", answerOf("ada"), aMessage({ tenant, id }))).toBeUndefined();
      expect(await use().waits.get(tenant, "nobody")).toBeUndefined();
      expect(await use().inbox.list(tenant, id)).toEqual([]);
    });

    test("a commit withdraws open waits and leaves answered ones", async () => {
      const {
        waits: [first, second, third],
        handle,
      } = await opened([{}, {}, {}]);
      if (!first || !second || !third) throw new Error("no waits");
      const { tenant } = handle.execution;
      await use().waits.answer(tenant, first.id, "answered", answerOf("ada"), null);
      await use().executions.commit(
        commitOn(
          handle,
          { lastSeq: 4 },
          {
            closeWaits: [
              { id: first.id, status: "cancelled" },
              { id: second.id, status: "cancelled" },
              { id: third.id, status: "expired" },
            ],
          },
        ),
      );
      expect((await use().waits.get(tenant, first.id))?.status).toBe("answered");
      expect((await use().waits.get(tenant, second.id))?.status).toBe("cancelled");
      expect((await use().waits.get(tenant, third.id))?.status).toBe("expired");
      expect(await use().waits.answer(tenant, second.id, "answered", answerOf("late"), null)).toMatchObject({ accepted: false });
    });

    test("listOf gives all waits of a kind, open or not, of each execution, oldest first", async () => {
      const tenant = newTenant();
      const first = await opened(
        [
          { id: "w2", createdAt: at(2) },
          { id: "w1", createdAt: at(1) },
          { id: "e", kind: "event" },
        ],
        tenant,
      );
      const second = await opened([{ id: "w3" }], tenant);
      await use().waits.answer(tenant, "w1", "answered", answerOf("ada"), null);
      const [firstId, secondId] = [first.handle.execution.id, second.handle.execution.id];
      const listed = await use().waits.listOf(tenant, [firstId, secondId, "nobody"], "approval");
      const rows = (id: string) => listed.get(id)?.map((wait) => [wait.id, wait.status]);
      expect(rows(firstId)).toEqual([
        ["w1", "answered"],
        ["w2", "open"],
      ]);
      expect(rows(secondId)).toEqual([["w3", "open"]]);
      expect(listed.get("nobody") ?? []).toEqual([]);
      expect((await use().waits.listOf(newTenant(), [firstId], "approval")).get(firstId) ?? []).toEqual([]);
    });

    test("filters and pages fit together", async () => {
      const tenant = newTenant();
      const { waits, handle } = await opened(
        Array.from(
          { length: 9 },
          (_, n): Partial<OpenWait> => ({ id: `w${n}`, createdAt: at(n), kind: n % 2 === 0 ? "approval" : "event" }),
        ),
        tenant,
      );
      const { waits: others } = await opened([{ id: "other", createdAt: at(100) }], tenant);
      await use().waits.answer(tenant, "w0", "answered", answerOf("ada"), null);
      const ids = async (filter: {
        kind?: "approval" | "event";
        status?: "open" | "answered";
        executionId?: string;
        workflowId?: string;
      }) => (await allPages((pageToken) => use().waits.list(tenant, { ...filter, pageSize: 2, pageToken }))).map((wait) => wait.id);
      expect(await ids({})).toEqual(["other", ...waits.map((wait) => wait.id).toReversed()]);
      expect(await ids({ kind: "approval" })).toEqual(["other", "w8", "w6", "w4", "w2", "w0"]);
      expect(await ids({ kind: "approval", status: "open" })).toEqual(["other", "w8", "w6", "w4", "w2"]);
      expect(await ids({ status: "answered" })).toEqual(["w0"]);
      expect(await ids({ executionId: handle.execution.id, kind: "event" })).toEqual(["w7", "w5", "w3", "w1"]);
      expect(await ids({ executionId: others[0]?.executionId ?? "" })).toEqual(["other"]);
      expect(await ids({ workflowId: "orders", status: "answered" })).toEqual(["w0"]);
      expect(await ids({ workflowId: "another" })).toEqual([]);
    });
  });
}
