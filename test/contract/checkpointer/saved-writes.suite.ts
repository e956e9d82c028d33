import { ERROR, INTERRUPT, RESUME, uuid6, type BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import type { CheckpointerUnderTest } from "./checkpointer.suite.ts";
import { METADATA, aCheckpoint, newThread, putNew, sharedSaver } from "./use-saver.ts";

export function savedWritesSuite<S extends BaseCheckpointSaver>(adapter: CheckpointerUnderTest<S>): void {
  describe("writes of tasks", () => {
    const { use } = sharedSaver(adapter);

    test("writes that come before their checkpoint are there once it is", async () => {
      const config = newThread();
      const checkpoint = aCheckpoint({ n: 1 });
      await use().putWrites({ configurable: { ...config.configurable, checkpoint_id: checkpoint.id } }, [["n", 2]], "early");
      await use().put(config, checkpoint, METADATA, { n: 1 });
      expect((await use().getTuple(config))?.pendingWrites).toEqual([["early", "n", 2]]);
    });

    test("writes without a checkpoint are no checkpoint", async () => {
      const config = newThread();
      await use().putWrites({ configurable: { ...config.configurable, checkpoint_id: uuid6(0) } }, [["n", 2]], "orphan");
      expect(await use().getTuple(config)).toBeUndefined();
    });

    test("the first write of a task's channel stays, an error or interrupt is replaced", async () => {
      const config = await putNew(use(), newThread(), { n: 1 });
      await use().putWrites(
        config,
        [
          ["a", 1],
          ["b", 1],
        ],
        "task",
      );
      await use().putWrites(
        config,
        [
          ["a", 2],
          ["b", 2],
          ["c", 2],
        ],
        "task",
      );
      await use().putWrites(config, [[INTERRUPT, { value: "first" }]], "task");
      await use().putWrites(config, [[INTERRUPT, { value: "second" }]], "task");
      await use().putWrites(config, [[ERROR, { message: "no" }]], "task");
      const writes = (await use().getTuple(config))?.pendingWrites ?? [];
      expect(Object.fromEntries(writes.map(([, channel, value]) => [channel, value]))).toEqual({
        a: 1,
        b: 1,
        c: 2,
        [INTERRUPT]: { value: "second" },
        [ERROR]: { message: "no" },
      });
      expect(writes).toHaveLength(5);
    });

    test("an interrupt may be one object or a list, a resume any value", async () => {
      const config = await putNew(use(), newThread(), { n: 1 });
      await use().putWrites(config, [[INTERRUPT, { value: "one" }]], "a");
      await use().putWrites(
        config,
        [
          [INTERRUPT, [{ value: "one" }, { value: "two" }]],
          [RESUME, ["yes"]],
        ],
        "b",
      );
      expect((await use().getTuple(config))?.pendingWrites).toEqual(
        expect.arrayContaining([
          ["a", INTERRUPT, { value: "one" }],
          ["b", INTERRUPT, [{ value: "one" }, { value: "two" }]],
          ["b", RESUME, ["yes"]],
        ]),
      );
    });

    test("several writes of one task to one channel all stay, in order", async () => {
      const config = await putNew(use(), newThread(), { n: 1 });
      await use().putWrites(
        config,
        Array.from({ length: 12 }, (_, n): [string, unknown] => ["list", n]),
        "task",
      );
      expect((await use().getTuple(config))?.pendingWrites).toEqual(Array.from({ length: 12 }, (_, n) => ["task", "list", n]));
    });

    test("writes of many tasks at once are all there, in order of tasks", async () => {
      const config = await putNew(use(), newThread(), { n: 1 });
      const tasks = Array.from({ length: 30 }, (_, n) => `task-${String(n).padStart(2, "0")}`);
      await Promise.all(
        tasks.toReversed().map((task) =>
          use().putWrites(
            config,
            [
              ["list", task],
              ["other", task],
            ],
            task,
          ),
        ),
      );
      expect((await use().getTuple(config))?.pendingWrites).toEqual(
        tasks.flatMap((task) => [
          [task, "list", task],
          [task, "other", task],
        ]),
      );
    });

    test("the same task written twice at once keeps each channel once", async () => {
      const config = await putNew(use(), newThread(), { n: 1 });
      await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          use().putWrites(
            config,
            [
              ["a", n],
              ["b", n],
            ],
            "task",
          ),
        ),
      );
      const writes = (await use().getTuple(config))?.pendingWrites ?? [];
      expect(writes.map(([, channel]) => channel)).toEqual(["a", "b"]);
      expect(writes[0]?.[2]).toBe(writes[1]?.[2]);
    });
  });
}
