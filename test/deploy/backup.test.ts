import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { readText } from "../repository/source.ts";
import { createEngine } from "../support/engine.ts";

const { tenant } = LOCAL_PRINCIPAL;
const folder = mkdtempSync(join(tmpdir(), "signalbox-backup-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The command of docs/operations.md, word by word. */
const [, script = ""] = /^\$ node --input-type=module -e "(.+)"$/m.exec(readText("docs/operations.md")) ?? [];

test("the documented copy of a running store holds what was acknowledged, and a service goes on from it", async () => {
  mkdirSync(join(folder, "data"));
  const store = await openStore(`sqlite:${join(folder, "data", "signalbox.db")}`, { ownerId: "worker-1", clock: systemClock });
  const ids: string[] = [];
  {
    await using engine = await createEngine({ store });
    const id = await engine.define({
      name: "Ask",
      steps: [
        { id: "ask", type: "approval", config: { title: "Go on?" }, nextSteps: ["done"] },
        { id: "done", type: "transform", config: { set: { n: "${ input.n }" } } },
      ],
      output: { n: "${ steps.done.output.n }" },
    });
    for (let n = 0; n < 5; n += 1) ids.push((await engine.run(id, { n })).id);
    // The service is running and has the file open.
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    await engine.run(id, { n: 99 });
  }
  const copy = await openStore(`sqlite:${join(folder, "copy.db")}`, { ownerId: "worker-2", clock: systemClock });
  await using restored = await createEngine({ store: copy });
  expect((await restored.executor.list(tenant, { pageSize: 20 })).items.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  for (const [n, id] of ids.entries()) {
    const { items } = await restored.executor.waits(tenant, { executionId: id, status: "open", pageSize: 5 });
    await restored.executor.answer({ id: "ann", tenant }, items[0]?.id ?? "", { decision: "approve" });
    expect(await restored.settled(id)).toMatchObject({ status: "COMPLETED", output: { n } });
  }
});

test("after a restore every TTL policy is made again, which a backup does not hold", () => {
  const [, listed = ""] = /^\$ for group in (.+); do$/m.exec(readText("docs/operations.md")) ?? [];
  const { fieldOverrides } = JSON.parse(readText("firestore.indexes.json")) as {
    fieldOverrides: { collectionGroup: string; ttl?: boolean }[];
  };
  const groups = fieldOverrides.flatMap(({ collectionGroup, ttl }) => (ttl ? [collectionGroup] : []));
  expect(listed.split(" ")).toEqual(groups.toSorted());
});
