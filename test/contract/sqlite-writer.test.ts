import { describe, expect, test } from "vitest";
import { runBatch, type Write } from "../../src/adapters/sqlite/batch.ts";
import { openForWriting, type Database } from "../../src/adapters/sqlite/database.ts";
import { executionRow, pageOf } from "../../src/adapters/sqlite/execution-rows.ts";
import { createWriter, inProcessRunner } from "../../src/adapters/sqlite/writer.ts";
import { anExecution, someEvents } from "./store/fixtures.ts";

const creation = (id: string, input = {}) => ({
  row: executionRow(anExecution({ tenant: "t", id, input })),
  page: pageOf(someEvents(1, 1)),
});
const createWrite = (id: string, input = {}): Write => ["createExecution", creation(id, input)];
const countOf = (database: Database, table: string) => database.get<{ count: number }>(`SELECT count(*) AS count FROM ${table}`)?.count;

describe("the writer", () => {
  test("writes that come together are one transaction", async () => {
    const database = openForWriting(":memory:");
    const runner = inProcessRunner(database);
    const sizes: number[] = [];
    const writer = createWriter({
      ...runner,
      run: (writes) => {
        sizes.push(writes.length);
        return runner.run(writes);
      },
    });
    await Promise.all(Array.from({ length: 100 }, (_, n) => writer.write("createExecution", creation(`e${n}`))));
    expect(sizes).toEqual([100]);
    expect(countOf(database, "executions")).toBe(100);
  });

  test("what queues while a batch is under way is the next batch", async () => {
    const database = openForWriting(":memory:");
    const runner = inProcessRunner(database);
    const sizes: number[] = [];
    let release = (): void => {};
    const disk = new Promise<void>((resolve) => (release = resolve));
    const writer = createWriter({
      ...runner,
      async run(writes) {
        sizes.push(writes.length);
        if (sizes.length === 1) await disk;
        return await runner.run(writes);
      },
    });
    const first = writer.write("createExecution", creation("first"));
    await new Promise(setImmediate);
    const others = Array.from({ length: 30 }, (_, n) => writer.write("createExecution", creation(`e${n}`)));
    await new Promise(setImmediate);
    release();
    await Promise.all([first, ...others]);
    expect(sizes).toEqual([1, 30]);
  });

  test("a refused write of a batch leaves no trace, its neighbours stay", () => {
    const database = openForWriting(":memory:");
    const [first, second, third] = runBatch(database, [
      createWrite("a"),
      [
        "commitExecution",
        {
          row: executionRow(anExecution({ tenant: "t", id: "a", lastSeq: 9 })),
          page: pageOf(someEvents(8, 9)),
          guard: { epoch: 7, lastSeq: 7 },
          checkpoints: null,
          decisions: [],
          openWaits: [],
          closeWaits: [],
          remindedWaits: [],
          consumed: [],
          sends: [],
          starts: [],
          memories: [],
          values: [],
        },
      ],
      createWrite("b"),
    ]);
    expect([first?.length, second?.[1], third?.length]).toEqual([1, "LEASE_LOST", 1]);
    expect([countOf(database, "executions"), countOf(database, "event_pages")]).toEqual([2, 2]);
    expect(database.isInTransaction).toBe(false);
  });

  test("a write that fails half-way leaves nothing of its first half", () => {
    const database = openForWriting(":memory:");
    runBatch(database, [createWrite("a")]);
    const row = executionRow(anExecution({ tenant: "t", id: "a", lastSeq: 3 }));
    // No document: the column refuses it, after the execution was updated.
    const broken = { ref: "r", doc: null as unknown as string };
    const commit = {
      row,
      page: pageOf(someEvents(2, 3)),
      guard: { epoch: 0, lastSeq: 1 },
      checkpoints: null,
      decisions: [],
      openWaits: [],
      closeWaits: [],
      remindedWaits: [],
      consumed: [],
      sends: [],
      starts: [],
      memories: [],
    };
    const outcomes = runBatch(database, [["commitExecution", { ...commit, values: [broken] }], createWrite("b")]);
    expect(outcomes.map((outcome) => outcome[1])).toEqual(["INTERNAL", undefined]);
    expect(database.get("SELECT last_seq FROM executions WHERE id = 'a'")).toEqual({ last_seq: 1 });
    expect(countOf(database, "executions")).toBe(2);
    expect(runBatch(database, [["commitExecution", { ...commit, values: [] }]])[0]?.length).toBe(1);
  });

  test("a full disk refuses the batch as a whole with UNAVAILABLE, and the writer goes on once there is room", () => {
    const database = openForWriting(":memory:");
    const pages = database.get<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
    database.get(`PRAGMA max_page_count = ${pages + 20}`);
    const outcomes = runBatch(database, [createWrite("small"), createWrite("huge", { text: "x".repeat(500_000) }), createWrite("other")]);
    expect(outcomes.map((outcome) => outcome[1])).toContain("UNAVAILABLE");
    const written = outcomes.filter((outcome) => outcome.length === 1).length;
    expect([countOf(database, "executions"), countOf(database, "event_pages")]).toEqual([written, written]);
    database.get("PRAGMA max_page_count = 100000");
    expect(runBatch(database, [createWrite("later")])[0]?.length).toBe(1);
    expect(database.isInTransaction).toBe(false);
  });

  test("after draining nothing is taken, and what was taken is written", async () => {
    const database = openForWriting(":memory:");
    const writer = createWriter(inProcessRunner(database));
    const taken = writer.write("createExecution", creation("a"));
    const drained = writer.drain();
    await expect(writer.write("createExecution", creation("b"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await drained;
    expect(countOf(database, "executions")).toBe(1);
    await expect(taken).resolves.toBeDefined();
  });
});

describe("reads", () => {
  /** Statements of the hot paths and of every list, as the adapter makes them. */
  const statements: [sql: string, parameters: number][] = [];
  const spied = (database: Database): Database => ({
    ...database,
    all: (sql, parameters = []) => (statements.push([sql, parameters.length]), database.all(sql, parameters)),
    get: (sql, parameters = []) => (statements.push([sql, parameters.length]), database.get(sql, parameters)),
  });

  test("every one is answered from an index, none by walking through a table or by sorting a list", async () => {
    const { sqliteExecutions } = await import("../../src/adapters/sqlite/executions.ts");
    const { sqliteEvents } = await import("../../src/adapters/sqlite/events.ts");
    const { sqliteInbox } = await import("../../src/adapters/sqlite/inbox.ts");
    const { sqliteWaits } = await import("../../src/adapters/sqlite/waits.ts");
    const { sqliteDecisions } = await import("../../src/adapters/sqlite/decisions.ts");
    const { sqliteWorkflows } = await import("../../src/adapters/sqlite/workflows.ts");
    const { createChanges } = await import("../../src/adapters/sqlite/changes.ts");
    const { createCheckpointFormat } = await import("../../src/adapters/sqlite/checkpoint-format.ts");
    const { noOwners } = await import("../../src/adapters/sqlite/owners.ts");
    const { connect } = await import("../../src/adapters/sqlite/connection.ts");
    const real = await connect({ path: ":memory:" });
    const connection = { ...real, read: <T>(work: (database: Database) => T) => real.read((database) => work(spied(database))) };
    const changes = createChanges(() => connection);
    const executions = sqliteExecutions({ connection, changes, owners: noOwners, checkpoints: createCheckpointFormat(connection) });
    const { encodeCursor } = await import("../../src/definition/page.ts");
    const page = { pageSize: 10, pageToken: encodeCursor({ at: "2026", id: "x" }) };

    await executions.get("t", "e");
    await executions.list("t", page);
    await executions.list("t", { ...page, workflowId: "w" });
    await executions.list("t", { ...page, status: "FAILED" });
    await executions.list("t", { ...page, workflowId: "w", status: "FAILED" });
    await executions.list("t", { ...page, parentId: "p", workflowId: "w", status: "FAILED" });
    await executions.childrenOf("t", ["p"], 5);
    await executions.recentOf("t", ["w"], 5);
    await executions.stats("t", ["w"]);
    await executions.due(1, 10);
    await executions.ownedBy("o", 10);
    const events = sqliteEvents(connection, changes);
    await events.after("t", "e", 1, 10);
    await events.before("t", "e", 9, 10);
    await events.values("t", "e", ["r"]);
    await sqliteInbox(connection, changes).list("t", "e");
    const waits = sqliteWaits(connection, changes);
    await waits.get("t", "w");
    await waits.list("t", page);
    await waits.list("t", { ...page, status: "open" });
    await waits.list("t", { ...page, executionId: "e" });
    await waits.listOf("t", ["e"], "approval");
    const decisions = sqliteDecisions(connection);
    await decisions.list("t", page);
    await decisions.list("t", { ...page, executionId: "e" });
    await decisions.list("t", { ...page, workflowId: "w" });
    await decisions.listOf("t", ["e"]);
    const workflows = sqliteWorkflows(connection);
    await workflows.get("t", "w");
    await workflows.list("t", page);
    await workflows.list("t", { ...page, status: "active" });

    expect(statements.length).toBeGreaterThan(25);
    const bad = await real.read((database) =>
      statements.flatMap(([sql, count]) => {
        const plan = database
          .all<{ detail: string }>(
            `EXPLAIN QUERY PLAN ${sql}`,
            Array.from({ length: count }, () => null),
          )
          .map(({ detail }) => detail);
        return plan.some((detail) => /^SCAN (?!CONSTANT)|TEMP B-TREE/.test(detail)) ? [{ sql, plan }] : [];
      }),
    );
    // A mailbox is short, and its order (sent, then arrived) is no index's.
    expect(bad.filter(({ sql }) => !sql.includes("FROM inbox"))).toEqual([]);
    await real.close();
  });
});
