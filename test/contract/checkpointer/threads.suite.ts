import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import type { CheckpointerUnderTest } from "./checkpointer.suite.ts";
import { newThread, putNew, sharedSaver, valuesOf } from "./use-saver.ts";

export function threadsSuite<S extends BaseCheckpointSaver>(adapter: CheckpointerUnderTest<S>): void {
  describe("threads and namespaces", () => {
    const { use } = sharedSaver(adapter);

    test("strange thread ids and namespaces are ids like others", async () => {
      const ids = ["a/b", "__x__", ".", "..", "with space", "😀", "__proto__", "a|b:c", "x".repeat(300)];
      const configs = await Promise.all(
        ids.flatMap((id, n) => [
          putNew(use(), { configurable: { thread_id: `${id}#thread`, checkpoint_ns: "" } }, { n }),
          putNew(use(), { configurable: { thread_id: "one thread", checkpoint_ns: id } }, { n }),
        ]),
      );
      for (const [n, config] of configs.entries()) expect(await valuesOf(use(), config)).toEqual({ n: Math.floor(n / 2) });
    });

    test("the newest checkpoint is the one of its own namespace", async () => {
      const root = newThread();
      const child = { configurable: { ...root.configurable, checkpoint_ns: "sub:1" } };
      await putNew(use(), root, { where: "root" });
      await putNew(use(), child, { where: "child" });
      expect(await valuesOf(use(), root)).toEqual({ where: "root" });
      expect(await valuesOf(use(), child)).toEqual({ where: "child" });
    });

    test("a list of many checkpoints is newest first, whole, and cut by limit and before", async () => {
      let config = newThread();
      const ids: string[] = [];
      for (let n = 0; n < 120; n += 1) {
        config = await putNew(use(), config, { n });
        ids.unshift(String(config.configurable?.["checkpoint_id"]));
      }
      const thread = { configurable: { thread_id: String(config.configurable?.["thread_id"]) } };
      const list = async (options?: Parameters<BaseCheckpointSaver["list"]>[1]) => {
        const found: string[] = [];
        for await (const tuple of use().list(thread, options)) found.push(tuple.checkpoint.id);
        return found;
      };
      expect(await list()).toEqual(ids);
      expect(await list({ limit: 73 })).toEqual(ids.slice(0, 73));
      const before = { configurable: { ...thread.configurable, checkpoint_id: ids[60] } };
      expect(await list({ before, limit: 2 })).toEqual(ids.slice(61, 63));
    });

    test("a deleted thread is gone with its writes and large values, others stay", async () => {
      const [gone, stays] = [newThread(), newThread()];
      const text = "x".repeat(50_000);
      for (const thread of [gone, stays]) {
        const config = await putNew(use(), thread, { text });
        await use().putWrites(config, [["text", text]], "task");
      }
      await use().deleteThread(String(gone.configurable?.["thread_id"]));
      expect(await use().getTuple(gone)).toBeUndefined();
      expect(await valuesOf(use(), stays)).toEqual({ text });
      const again = await putNew(use(), gone, { text });
      expect((await use().getTuple(again))?.pendingWrites).toEqual([]);
    });

    test("deleting a thread that is not there is no error", async () => {
      await expect(use().deleteThread("nobody")).resolves.toBeUndefined();
    });
  });
}
