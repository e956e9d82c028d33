import { randomBytes } from "node:crypto";
import { Annotation, StateGraph } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { FirestoreSaver } from "../../src/adapters/firestore/checkpointer.ts";
import { createFirestoreClient } from "../../src/adapters/firestore/client.ts";
import { defineStep } from "../../src/steps/step.ts";
import { newThread, putNew, valuesOf } from "../contract/checkpointer/use-saver.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { startBill } from "./bill.ts";
import { emulated, newProject, openTestStore } from "./projects.ts";

const work = defineStep({
  type: "work",
  title: "Work",
  description: "Does something outside, so it has a superstep of its own",
  group: "Work",
  config: z.object({}),
  run: () => ({ kind: "done", output: { ok: true } }),
});

const line = (length: number) => ({
  name: `a line of ${length}`,
  steps: Array.from({ length }, (_, n) => ({
    id: `s${n}`,
    name: `s${n}`,
    type: "work",
    config: {},
    nextSteps: n < length - 1 ? [`s${n + 1}`] : [],
  })),
});

describe.runIf(emulated)("what Firestore is asked to do", () => {
  const bill = startBill();
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ store: openTestStore(newProject(), { onCall: bill.onCall }), stepTypes: [work] });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
  });

  /** The bill of one execution alone: nobody waits for it through the store. */
  async function billOf(workflowId: string) {
    await engine.run(workflowId); // compiled once
    bill.clear();
    const { id } = await engine.start(workflowId);
    await expect.poll(() => bill.written.flat().length > 2 && engine.worker.running, { timeout: 20_000 }).toBe(0);
    await engine.worker.idle();
    const counted = { ...bill, written: bill.written.map((paths) => paths.filter((path) => path.includes(id))) };
    expect((await engine.executor.get("default", id)).status).toBe("COMPLETED");
    return counted;
  }

  test("a step of a line is one commit of at most three documents", async () => {
    const [short, long] = [await billOf(await engine.define(line(3))), await billOf(await engine.define(line(8)))];
    expect(long.commits - short.commits).toBe(5);
    expect(long.writes - short.writes).toBeLessThanOrEqual(15);
    // What lasts more than 250 ms looks at its mail once; a step by itself reads nothing.
    expect(long.reads - short.reads).toBeLessThanOrEqual(1);
    for (const paths of long.written) expect(paths.length).toBeLessThanOrEqual(3);
  });

  test("a five-step execution costs at most 20 writes and 3 reads", async () => {
    const { commits, writes, reads } = await billOf(await engine.define(line(5)));
    console.log(`five steps: ${commits} commits, ${writes} document writes, ${reads} reads`);
    expect(writes).toBeLessThanOrEqual(20);
    expect(reads).toBeLessThanOrEqual(3);
  });

  test("steps without effect cost nothing of their own", async () => {
    const set = (n: number) => ({
      id: `t${n}`,
      name: `t${n}`,
      type: "transform",
      config: { set: { n } },
      nextSteps: n < 5 ? [`t${n + 1}`] : [],
    });
    const { commits, writes, reads } = await billOf(await engine.define({ name: "pure", steps: [1, 2, 3, 4, 5].map(set) }));
    console.log(`five steps without effect: ${commits} commits, ${writes} document writes, ${reads} reads`);
    expect(writes).toBeLessThanOrEqual(8);
  });

  test("values of 14 MB go in commits of less than 4 MiB, and the document that names them is in the last", async () => {
    const firestore = createFirestoreClient({ project: newProject(), onCall: bill.onCall });
    const saver = new FirestoreSaver({ firestore });
    bill.clear();
    const values = Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`c${n}`, randomBytes(2_000_000)]));
    const config = await putNew(saver, newThread(), values);
    expect(bill.commits).toBeGreaterThanOrEqual(4);
    expect(Math.max(...bill.bytes)).toBeLessThan(4 * 1_024 * 1_024);
    expect(bill.written.findIndex((paths) => paths.some((path) => path.includes("/checkpoints/")))).toBe(bill.commits - 1);
    const read = await valuesOf(saver, config);
    for (const [name, value] of Object.entries(values)) expect(Buffer.compare(value, read?.[name] as Uint8Array)).toBe(0);
    await saver.close();
    await firestore.terminate();
  });

  test("an unchanged channel of 6 MB costs one document write per put", async () => {
    const firestore = createFirestoreClient({ project: newProject(), onCall: bill.onCall });
    const saver = new FirestoreSaver({ firestore });
    const graph = new StateGraph(Annotation.Root({ document: Annotation<string>, n: Annotation<number> }))
      .addNode("count", ({ n }) => ({ n: n + 1 }))
      .addConditionalEdges("count", ({ n }) => (n < 10 ? "count" : "__end__"))
      .addEdge("__start__", "count")
      .compile({ checkpointer: saver });
    bill.clear();
    const document = randomBytes(3_000_000).toString("hex");
    await graph.invoke({ document, n: 0 }, { configurable: { thread_id: "large" }, durability: "sync" });
    const checkpoints = bill.written.flat().filter((path) => path.includes("/checkpoints/"));
    const blobs = bill.written.flat().filter((path) => path.includes("/blobs/"));
    expect(checkpoints).toHaveLength(12);
    // Hex is half as long after compression: 3 MB in pieces of 900 KiB, once for the input and once for the channel.
    expect(new Set(blobs).size).toBeLessThanOrEqual(8);
    expect(blobs.length).toBeLessThanOrEqual(12);
    expect((await saver.getTuple({ configurable: { thread_id: "large" } }))?.checkpoint.channel_values["document"]).toBe(document);
    await saver.close();
    await firestore.terminate();
  });
});
