import { expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import { SignalboxError } from "../../src/errors.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { createEngine } from "../support/engine.ts";

const { tenant } = LOCAL_PRINCIPAL;

/** A store whose every commit is refused from right after a person's choice was recorded until it is healed: where a crash hurts most. */
async function storeThatBreaks(): Promise<{ store: Store; heal(): void }> {
  const store = await openStore("sqlite::memory:", { ownerId: "worker-1", clock: systemClock });
  let state: "whole" | "broken" | "healed" = "whole";
  const executions: Store["executions"] = {
    ...store.executions,
    async commit(commit) {
      if (state === "broken") throw new SignalboxError("LEASE_LOST");
      const handle = await store.executions.commit(commit);
      if (state === "whole" && commit.decisions.some(({ answeredBy }) => answeredBy !== null)) state = "broken";
      return handle;
    },
  };
  return { store: { ...store, executions }, heal: () => (state = "healed") };
}

test("a person's choice that was recorded before a crash is told once and taken", async () => {
  const { store, heal } = await storeThatBreaks();
  await using engine = await createEngine({ store, models: { scripts: { unsure: ["nonsense"] } } });
  const options = ["yes", "no"];
  const ask = { id: "ask", type: "decision", config: { model: "scripted:unsure", onViolation: "human" }, nextSteps: options };
  await engine.define({ id: "one", name: "One", steps: [ask, ...options.map((id) => ({ id, type: "end" }))] });
  const { id } = await engine.run("one");
  const [wait] = (await engine.executor.waits(tenant, { executionId: id, pageSize: 1 })).items;
  await engine.executor.answer(LOCAL_PRINCIPAL, wait?.id ?? "", { decision: "no" });
  await expect.poll(async () => (await store.decisions.list(tenant, { executionId: id, pageSize: 5 })).items).toHaveLength(2);
  await engine.worker.idle();
  expect((await engine.executor.get(tenant, id)).status).toBe("RUNNING");

  heal();
  engine.addWorker("worker-2").takeOver({ tenant, executionId: id }, "worker-1");
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("COMPLETED");
  const events = await engine.events(id);
  expect(events.filter(({ type }) => type === "decision.recorded").map(({ data }) => data["selected"])).toEqual([null, "no"]);
  expect((await store.decisions.list(tenant, { executionId: id, pageSize: 5 })).items).toHaveLength(2);
});
