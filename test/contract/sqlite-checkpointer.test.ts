import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SqliteSaver } from "../../src/adapters/sqlite/checkpointer.ts";
import { METADATA, aCheckpoint, newThread, putNew, valuesOf } from "./checkpointer/use-saver.ts";
import { describeCheckpointer } from "./checkpointer/checkpointer.suite.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-saver-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = new WeakMap<SqliteSaver, string>();
let count = 0;

describeCheckpointer({ name: "SqliteSaver in memory", create: () => SqliteSaver.open(":memory:"), destroy: (saver) => saver.close() });
describeCheckpointer({
  name: "SqliteSaver in a file",
  async create() {
    const file = join(folder, `${(count += 1)}.db`);
    const saver = await SqliteSaver.open(file);
    files.set(saver, file);
    return saver;
  },
  destroy: (saver) => saver.close(),
  async bytes(saver) {
    const file = files.get(saver) ?? "";
    return statSync(file).size + statSync(`${file}-wal`).size;
  },
});

test("an unchanged large value is not even written out again", async () => {
  const file = join(folder, "unchanged.db");
  let written = 0;
  const doc = { toJSON: () => ((written += 1), "x".repeat(100_000)) };
  let config = newThread();
  for (let restart = 0; restart < 2; restart += 1) {
    const saver = await SqliteSaver.open(file);
    if (written === 0) config = await putNew(saver, config, { doc });
    for (let step = 2; step < 6; step += 1) config = await saver.put(config, aCheckpoint({ doc, step }), METADATA, { step });
    expect(written).toBe(1);
    expect(await valuesOf(saver, config)).toEqual({ doc: "x".repeat(100_000), step: 5 });
    await saver.close();
  }
});

test("ids that differ in a lone surrogate only are two ids", async () => {
  const saver = await SqliteSaver.open(":memory:");
  const ids = ["a\ud800", "a\ud801", "a\ufffd", "\u0000a", '\u0000"a"'];
  for (const id of ids) await putNew(saver, { configurable: { thread_id: id, checkpoint_ns: id } }, { id });
  for (const id of ids) {
    const tuple = await saver.getTuple({ configurable: { thread_id: id, checkpoint_ns: id } });
    expect(tuple?.checkpoint.channel_values).toEqual({ id });
    expect(tuple?.config.configurable).toMatchObject({ thread_id: id, checkpoint_ns: id });
  }
  await saver.close();
});
