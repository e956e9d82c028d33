import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { SqliteSaver } from "../../src/adapters/sqlite/checkpointer.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/store.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { manualClock } from "../support/manual-clock.ts";
import { aCheckpointPut, aDecision, aMessage, aWait, claimed, commitOn, START, start } from "./store/fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-file-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (path: string, ownerId = "test") => openSqliteStore({ path, ownerId, clock: systemClock });
/** UNAVAILABLE, in one line, naming the path. */
const refusalOf = (path: string) =>
  expect.objectContaining({
    code: "UNAVAILABLE",
    message: expect.stringMatching(new RegExp(`^[^\\n]*${path.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}[^\\n]*$`)) as string,
  });

describe("a store file", () => {
  test("is made with its folder where both are missing", async () => {
    const path = join(folder, "deep", "er", "store.db");
    await using store = await open(path);
    await expect(store.ping()).resolves.toBeUndefined();
    expect(readdirSync(join(folder, "deep", "er"))).toContain("store.db");
  });

  test("keeps everything over a restart", async () => {
    const path = join(folder, "restart.db");
    const first = await open(path);
    const { execution } = await start(first, { tenant: "t", id: "e" });
    await first.close();
    await using second = await open(path);
    expect((await second.executions.get("t", "e"))?.execution).toEqual(execution);
  });

  test("that is no database is refused and left as it was", async () => {
    const path = join(folder, "text.db");
    writeFileSync(path, "this is a letter, not a database. ".repeat(100));
    await expect(open(path)).rejects.toEqual(refusalOf(path));
  });

  test("of another program is refused and left as it was", async () => {
    const path = join(folder, "other.db");
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE recipes (name TEXT)");
    other.close();
    await expect(open(path)).rejects.toEqual(refusalOf(path));
    const after = new DatabaseSync(path);
    expect(after.prepare("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "recipes" }]);
    expect(after.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "delete" });
    after.close();
  });

  test("of a newer version is refused, naming both versions", async () => {
    const path = join(folder, "newer.db");
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 999");
    newer.close();
    await expect(open(path)).rejects.toEqual(refusalOf(path));
    await expect(open(path)).rejects.toThrow("schema 999");
  });

  test("that is a folder is refused", async () => {
    const path = join(folder, "folder.db");
    mkdirSync(path);
    await expect(open(path)).rejects.toEqual(refusalOf(path));
  });

  test("below a file instead of a folder is refused", async () => {
    writeFileSync(join(folder, "plain"), "");
    const path = join(folder, "plain", "store.db");
    await expect(open(path)).rejects.toEqual(refusalOf(path));
  });

  test("where nothing can be written is refused", async () => {
    const path = "/proc/signalbox.db";
    await expect(open(path)).rejects.toEqual(refusalOf(path));
  });

  // Root may write everywhere.
  test.skipIf(process.getuid?.() === 0)("that may only be read is refused", async () => {
    const path = join(folder, "read-only.db");
    await (await open(path)).close();
    chmodSync(path, 0o444);
    await expect(open(path)).rejects.toEqual(refusalOf(path));
  });

  test("refuses a second living owner of one name, and takes it once the first is closed", async () => {
    const path = join(folder, "owner.db");
    const first = await open(path, "host:7/a b");
    await expect(open(path, "host:7/a b")).rejects.toThrow('owner id "host:7/a b" is in use');
    await first.close();
    await using again = await open(path, "host:7/a b");
    await expect(again.ping()).resolves.toBeUndefined();
  });

  test("leaves no lock behind after a close without leases", async () => {
    const path = join(folder, "clean.db");
    await (await open(path)).close();
    expect(readdirSync(folder).filter((name) => name.startsWith("clean.db"))).toEqual(["clean.db"]);
  });

  test("an owner that closed with leases left is known as dead, one that lives is not", async () => {
    const path = join(folder, "left.db");
    const [gone, alive, other] = [await open(path, "gone"), await open(path, "alive"), await open(path, "other")];
    const now = Date.now();
    await claimed(gone, await start(gone, { tenant: "t", id: "1" }), "gone", now);
    await claimed(alive, await start(alive, { tenant: "t", id: "2" }), "alive", now);
    expect(await other.executions.deadOwners(now)).toEqual([]);
    await gone.close();
    expect(await other.executions.deadOwners(now)).toEqual(["gone"]);
    expect(await alive.executions.deadOwners(now)).toEqual(["gone"]);
    expect(await other.executions.ownedBy("gone", 10)).toEqual([{ tenant: "t", id: "1" }]);
    // Once its lease is over there is nothing left to say, and its lock file goes.
    expect(await other.executions.deadOwners(now + 20_000)).toEqual([]);
    expect(
      readdirSync(folder)
        .filter((name) => name.startsWith("left.db.owner-"))
        .toSorted(),
    ).toEqual(["left.db.owner-alive", "left.db.owner-other"]);
    await Promise.all([alive.close(), other.close()]);
  });

  test("retention deletes an ended execution with everything of it, and nothing else", async () => {
    const path = join(folder, "retention.db");
    const clock = manualClock(START);
    await using store = await openSqliteStore({ path, ownerId: "test", clock });
    for (const [id, expireAt] of [
      ["old", START + 1_000],
      ["young", START + 9_000_000],
      ["kept", null],
    ] as const) {
      const handle = await claimed(store, await start(store, { tenant: "t", id }), "a");
      await store.inbox.send(aMessage(handle.execution));
      await store.executions.commit(
        commitOn(
          handle,
          { status: "COMPLETED", lastSeq: 3, owner: null, leaseUntil: null, wakeAt: null, expireAt },
          {
            checkpoints: [aCheckpointPut({ big: "x".repeat(50_000) })],
            decisions: [aDecision(handle.execution)],
            openWaits: [aWait(handle.execution)],
            values: [{ ref: "r", value: 1 }],
          },
        ),
      );
    }
    expect(await store.deleteExpired()).toBe(0);
    clock.advance(1_000);
    expect(await store.deleteExpired()).toBe(1);
    expect((await store.executions.list("t", { pageSize: 10 })).items.map(({ id }) => id).toSorted()).toEqual(["kept", "young"]);
    expect((await store.executions.stats("t", ["orders"])).get("orders")).toMatchObject({ total: 3, completed: 3 });
    const file = new DatabaseSync(path, { readOnly: true });
    for (const table of [
      "executions",
      "event_pages",
      "execution_values",
      "inbox",
      "waits",
      "decisions",
      "threads",
      "checkpoints",
      "checkpoint_blobs",
    ]) {
      const left = file.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.["count"];
      expect([table, left]).toEqual([table, table === "event_pages" ? 6 : 2]);
    }
    file.close();
  });

  test("a saver of its own shares a file with a store", async () => {
    const path = join(folder, "both.db");
    await using store = await open(path);
    const handle = await claimed(store, await start(store, { tenant: "t", id: "e" }), "a");
    await store.executions.commit(commitOn(handle, { lastSeq: 3 }, { checkpoints: [aCheckpointPut({ n: 1 })] }));
    const saver = await SqliteSaver.open(path);
    expect((await saver.getTuple({ configurable: { thread_id: "e" } }))?.checkpoint.channel_values).toEqual({ n: 1 });
    await saver.close();
  });

  test("one thread id in two tenants is never guessed", async () => {
    await using store = await open(":memory:");
    for (const tenant of ["a", "b"]) {
      const handle = await claimed(store, await start(store, { tenant, id: "same" }), "w");
      await store.executions.commit(commitOn(handle, { lastSeq: 3 }, { checkpoints: [aCheckpointPut({ tenant })] }));
    }
    await expect(store.checkpointer.getTuple({ configurable: { thread_id: "same" } })).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(store.checkpointer.deleteThread("same")).rejects.toMatchObject({ code: "CONFLICT" });
  });
});

describe("openStore", () => {
  const options = { ownerId: "test", clock: systemClock };

  test("opens SQLite by path and in memory", async () => {
    for (const spec of ["sqlite::memory:", `sqlite:${join(folder, "by-spec.db")}`]) {
      const store = await openStore(spec, options);
      await expect(store.ping()).resolves.toBeUndefined();
      await store.close();
    }
  });

  test("refuses what names no store", async () => {
    for (const spec of ["", "sqlite:", "mongo:x", "/data/x.db"])
      await expect(openStore(spec, options)).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });
});
