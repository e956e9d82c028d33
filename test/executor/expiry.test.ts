import { expect } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import type { Store } from "../../src/ports/store.ts";
import { createEngine, testInMemory } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

testInMemory("a person who answers at the moment the time is up, and is told so, is heard", async () => {
  const clock = manualClock();
  const real = await openStore("sqlite::memory:", { ownerId: "worker-1", clock });
  let answer: (() => Promise<unknown>) | undefined;
  // The worker has seen that the time is up; before it has said so, somebody answers.
  const expire: Store["waits"]["answer"] = async (...given) => {
    const once = answer;
    answer = undefined;
    await once?.();
    return await real.waits.answer(...given);
  };
  const store: Store = { ...real, waits: { ...real.waits, answer: expire } };
  await using engine = await createEngine({ clock, store, consume: false });
  await engine.define({
    id: "ask",
    name: "Ask",
    steps: [{ id: "ask", type: "approval", config: { title: "Pay?", timeout: "1h", onTimeout: "reject" } }],
    output: { ask: "${ steps.ask.output }" },
  });
  const { id } = await engine.start("ask");
  const hint = { tenant: "default", executionId: id };
  engine.worker.take(hint);
  await engine.worker.idle();
  const [wait] = (await engine.executor.waits("default", { executionId: id, pageSize: 1 })).items;
  engine.worker.wakeups.clear();
  clock.advance(3_600_001);
  let accepted: boolean | undefined;
  answer = async () => {
    const at = new Date(clock.now()).toISOString();
    const data = { decision: "approve" };
    const message = {
      id: "m",
      ...hint,
      at,
      principal: "ann",
      body: { type: "answer" as const, waitId: wait?.id ?? "", answer: "given" as const, data },
    };
    accepted = (await real.waits.answer("default", wait?.id ?? "", "answered", { by: "given", principal: "ann", at, data }, message))
      ?.accepted;
  };
  engine.worker.take(hint);
  await engine.worker.idle();
  expect(accepted).toBe(true);
  expect((await engine.executor.get("default", id)).output).toMatchObject({ ask: { decision: "approve", by: "ann" } });
});
