import { randomUUID } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  emptyCheckpoint,
  uuid6,
  type BaseCheckpointSaver,
  type Checkpoint,
  type CheckpointMetadata,
} from "@langchain/langgraph-checkpoint";
import { afterAll, beforeAll } from "vitest";
import type { CheckpointerUnderTest } from "./checkpointer.suite.ts";

export const METADATA: CheckpointMetadata = { source: "loop", step: 0, parents: {} };

/** Creates one saver for the surrounding `describe`; `use()` gives it inside the tests. */
export function sharedSaver<S extends BaseCheckpointSaver>(adapter: CheckpointerUnderTest<S>): { use(): S } {
  let saver: S | undefined;
  beforeAll(async () => {
    saver = await adapter.create();
  });
  afterAll(async () => {
    if (saver) await adapter.destroy(saver);
  });
  return {
    use() {
      if (!saver) throw new Error("the saver is there inside tests only");
      return saver;
    },
  };
}

export const newThread = (ns = ""): RunnableConfig => ({ configurable: { thread_id: `thread-${randomUUID()}`, checkpoint_ns: ns } });

export function aCheckpoint(values: Record<string, unknown>, version = 1): Checkpoint {
  const versions = Object.fromEntries(Object.keys(values).map((channel) => [channel, version]));
  return { ...emptyCheckpoint(), id: uuid6(0), channel_values: values, channel_versions: versions };
}

/** Puts the values as new ones and returns the config of the checkpoint. */
export async function putNew(
  saver: BaseCheckpointSaver,
  config: RunnableConfig,
  values: Record<string, unknown>,
  version = 1,
): Promise<RunnableConfig> {
  const checkpoint = aCheckpoint(values, version);
  return await saver.put(config, checkpoint, METADATA, checkpoint.channel_versions);
}

export async function valuesOf(saver: BaseCheckpointSaver, config: RunnableConfig): Promise<Record<string, unknown> | undefined> {
  return (await saver.getTuple(config))?.checkpoint.channel_values;
}
