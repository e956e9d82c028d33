import { randomBytes } from "node:crypto";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import type { CheckpointerUnderTest } from "./checkpointer.suite.ts";
import { METADATA, aCheckpoint, newThread, putNew, sharedSaver, valuesOf } from "./use-saver.ts";

/** Does not compress, so that it is as large on the disk as it looks. */
const random = (characters: number): string => randomBytes(characters / 2).toString("hex");

export function largeValuesSuite<S extends BaseCheckpointSaver>(adapter: CheckpointerUnderTest<S>): void {
  describe("large values", () => {
    const { use } = sharedSaver(adapter);

    test("values around every bound come back as they were", async () => {
      for (const characters of [32_000, 32_766, 32_768, 40_000, 900 * 1_024, 1_048_576, 1_500_000]) {
        const values = { text: random(characters), list: [random(10)], small: 1 };
        expect(await valuesOf(use(), await putNew(use(), newThread(), values))).toEqual(values);
      }
    });

    test("a large write of a task comes back as it was", async () => {
      const config = await putNew(use(), newThread(), { n: 1 });
      const value = { text: random(1_200_000) };
      await use().putWrites(config, [["big", value]], "task");
      expect((await use().getTuple(config))?.pendingWrites).toEqual([["task", "big", value]]);
    });

    test("a 6 MB channel unchanged over ten puts is stored once and read with each", async () => {
      const doc = random(6_000_000);
      let config = newThread();
      config = await putNew(use(), config, { doc, step: 0 });
      const before = await adapter.bytes?.(use());
      for (let step = 1; step <= 10; step += 1) {
        const checkpoint = { ...aCheckpoint({ doc, step }), channel_versions: { doc: 1, step: step + 1 } };
        config = await use().put(config, checkpoint, METADATA, { step: step + 1 });
      }
      const after = await adapter.bytes?.(use());
      expect((after ?? 0) - (before ?? 0)).toBeLessThan(500_000);
      let seen = 0;
      for await (const tuple of use().list({ configurable: { thread_id: config.configurable?.["thread_id"] as string } })) {
        expect(tuple.checkpoint.channel_values["doc"]).toBe(doc);
        seen += 1;
      }
      expect(seen).toBe(11);
    });

    test("a large value that changed is not taken for the one before", async () => {
      const first = await putNew(use(), newThread(), { doc: random(50_000) });
      const doc = random(50_000);
      const second = await putNew(use(), first, { doc }, 2);
      expect(await valuesOf(use(), second)).toEqual({ doc });
    });

    test("two forks with one channel version keep their own large values", async () => {
      const root = await putNew(use(), newThread(), { doc: random(50_000) });
      const [left, right] = [random(50_000), random(50_000)];
      const [leftConfig, rightConfig] = [await putNew(use(), root, { doc: left }, 2), await putNew(use(), root, { doc: right }, 2)];
      // A step on each fork that leaves the document as it is.
      const step = (config: typeof root, doc: string) =>
        use().put(config, { ...aCheckpoint({ doc, n: 1 }), channel_versions: { doc: 2, n: 3 } }, METADATA, { n: 3 });
      expect(await valuesOf(use(), await step(leftConfig, left))).toEqual({ doc: left, n: 1 });
      expect(await valuesOf(use(), await step(rightConfig, right))).toEqual({ doc: right, n: 1 });
    });

    test("an unchanged large value whose parent is unknown is stored all the same", async () => {
      const thread = newThread();
      const doc = random(50_000);
      const orphan = { configurable: { ...thread.configurable, checkpoint_id: "1efffff0-0000-6000-8000-000000000000" } };
      const config = await use().put(orphan, { ...aCheckpoint({ doc, n: 1 }) }, METADATA, { n: 1 });
      expect(await valuesOf(use(), config)).toEqual({ doc, n: 1 });
    });
  });
}
