import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { SqliteSaver } from "../../src/adapters/sqlite/checkpointer.ts";
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
