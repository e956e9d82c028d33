import { copyFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { createEngine, type Engine } from "../support/engine.ts";

const GOLDEN = path.join(import.meta.dirname, "..", "fixtures", "golden");
const ann = { id: "ann", tenant: "default" };
const versions = (await readdir(GOLDEN)).filter((name) => name.endsWith(".db")).map((name) => path.basename(name, ".db"));

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "signalbox-golden-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("there are recordings", () => {
  expect(versions).toContain("0.1.0");
});

test.each(versions)(
  "executions that version %s left parked end as they would have",
  async (version) => {
    const expected = JSON.parse(await readFile(path.join(GOLDEN, `${version}.json`), "utf8")) as Record<string, unknown>;
    const file = path.join(folder, `${version}.db`);
    await copyFile(path.join(GOLDEN, `${version}.db`), file);
    const store = await openStore(`sqlite:${file}`, { ownerId: "worker-1", clock: systemClock });
    await using engine = await createEngine({ store });
    for (const [id, output] of Object.entries(expected)) {
      await approveAll(engine, id);
      expect(await engine.executor.get("default", id)).toMatchObject({ status: "COMPLETED", output });
    }
  },
  60_000,
);

/** Answers whatever the execution asks until it has ended. */
async function approveAll(engine: Engine, executionId: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const { items } = await engine.executor.waits("default", { executionId, status: "open", pageSize: 20 });
        for (const { id } of items) await engine.executor.answer(ann, id, { decision: "approve" });
        return (await engine.executor.get("default", executionId)).status;
      },
      { timeout: 10_000 },
    )
    .not.toBe("RUNNING");
}
