import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { mixVersions, PREVIOUS } from "./mix.ts";

const folder = mkdtempSync(path.join(tmpdir(), "signalbox-mixed-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(PREVIOUS === undefined)(
  "the version before and this one, side by side on one store, finish each other's executions and leave alone what they do not know",
  async () => {
    expect(await mixVersions({ store: `sqlite:${path.join(folder, "store.db")}` })).toEqual({ finished: 24, left: 4 });
  },
  300_000,
);
