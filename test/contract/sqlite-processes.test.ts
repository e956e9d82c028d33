import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { someEvents, start, watching } from "./store/fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-processes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A real process of its own; its stdout, line by line. */
function run(script: string, ...args: string[]) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`./processes/${script}`, import.meta.url)), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  let wake = () => {};
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    wake();
  });
  const exit = once(child, "close").then(([code]: unknown[]) => code);
  return {
    child,
    lines,
    exit,
    async until(count: number): Promise<void> {
      while (lines.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

const openHere = (path: string) => openStore(`sqlite:${path}`, { ownerId: "here", clock: systemClock });

describe("two processes on one file", () => {
  test("600 pending executions are each claimed once", async () => {
    const path = join(folder, "claims.db");
    const store = await openHere(path);
    await Promise.all(Array.from({ length: 600 }, (_, n) => start(store, { tenant: `t${n % 3}`, id: `e${n}` })));
    const workers = ["first", "second"].map((owner) => run("claim-all.ts", `sqlite:${path}`, owner));
    expect(await Promise.all(workers.map((worker) => worker.exit))).toEqual([0, 0]);
    const results = workers.map(({ lines }) => JSON.parse(lines[0] ?? "") as { won: string[]; lost: number });
    const won = results.flatMap((result) => result.won);
    expect(won).toHaveLength(600);
    expect(new Set(won).size).toBe(600);
    for (let n = 0; n < 600; n += 1) {
      const found = await store.executions.get(`t${n % 3}`, `e${n}`);
      expect(found?.execution).toMatchObject({ epoch: 1, lastSeq: 2, status: "RUNNING" });
      expect(results[found?.execution.owner === "first" ? 0 : 1]?.won).toContain(`e${n}`);
    }
    await store.close();
  });

  test("a killed process is known as dead at once, and what it acknowledged is there", async () => {
    const path = join(folder, "killed.db");
    const store = await openHere(path);
    for (let n = 0; n < 10; n += 1) await start(store, { tenant: "t", id: `e${n}` });
    const worker = run("commit-forever.ts", `sqlite:${path}`, "victim");
    await worker.until(200);
    expect(await store.executions.deadOwners(Date.now())).toEqual([]);
    expect(await store.executions.ownedBy("victim", 100)).toHaveLength(10);
    worker.child.kill("SIGKILL");
    await worker.exit;
    expect(await store.executions.deadOwners(Date.now())).toEqual(["victim"]);

    const acknowledged = new Map(worker.lines.flatMap((line) => (line.endsWith("]") ? [JSON.parse(line) as [string, number]] : [])));
    expect(acknowledged.size).toBe(10);
    for (const [id, lastSeq] of acknowledged) {
      const stored = (await store.executions.get("t", id))?.execution.lastSeq ?? 0;
      expect(stored).toBeGreaterThanOrEqual(lastSeq);
      // Whole commits only: the record, its events and its checkpoint agree.
      expect(await store.events.after("t", id, 0, 100_000)).toEqual(someEvents(1, stored));
      const tuple = await store.checkpointer.getTuple({ configurable: { tenant: "t", thread_id: id, checkpoint_ns: "" } });
      expect(tuple?.checkpoint.channel_values).toEqual({ lastSeq: stored });
    }
    await store.close();
    const file = new DatabaseSync(path);
    expect(file.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    file.close();
  });

  test("a watcher here hears of commits there", async () => {
    const path = join(folder, "watched.db");
    const store = await openHere(path);
    await start(store, { tenant: "t", id: "e0" });
    const watcher = watching((onChange) => store.events.watch("t", "e0", onChange));
    run("commit-forever.ts", `sqlite:${path}`, "writer");
    await watcher.until((calls) => calls.length >= 3);
    expect((await store.events.after("t", "e0", 1, 10)).length).toBeGreaterThan(0);
    watcher.stop();
    await store.close();
  });
});
