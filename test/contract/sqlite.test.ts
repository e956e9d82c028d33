import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { describeStore } from "./store/store.suite.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const paths = new WeakMap<Store, string>();
const open = async (path: string): Promise<Store> => {
  const store = await openStore(`sqlite:${path}`, { ownerId: `test-${randomUUID()}`, clock: systemClock });
  paths.set(store, path);
  return store;
};

describeStore({ name: "sqlite in memory", open: () => open(":memory:") });
describeStore({
  name: "sqlite in a file",
  open: () => open(join(folder, `${randomUUID()}.db`)),
  openSecond: (first) => open(paths.get(first) ?? ""),
});
