import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { deltaChannelHistoryTests, validate } from "@langchain/langgraph-checkpoint-validation";
import { describe } from "vitest";
import { graphSuite } from "./graph.suite.ts";
import { largeValuesSuite } from "./large-values.suite.ts";
import { savedValuesSuite } from "./saved-values.suite.ts";
import { savedWritesSuite } from "./saved-writes.suite.ts";
import { threadsSuite } from "./threads.suite.ts";

/** What an adapter gives to have its checkpointer measured. */
export interface CheckpointerUnderTest<S extends BaseCheckpointSaver = BaseCheckpointSaver> {
  name: string;
  /** A saver on data nobody else uses. */
  create(): Promise<S>;
  destroy(saver: S): Promise<void>;
  /** Bytes its data takes; where given, what is stored once is measured. */
  bytes?(saver: S): Promise<number>;
}

/** LangGraph's own conformance suite (718 tests and the 8 of delta channels) and what it leaves out. Needs vitest's globals. */
export function describeCheckpointer<S extends BaseCheckpointSaver>(adapter: CheckpointerUnderTest<S>): void {
  const initializer = {
    checkpointerName: adapter.name,
    createCheckpointer: () => adapter.create(),
    destroyCheckpointer: (saver: BaseCheckpointSaver) => adapter.destroy(saver as S), // it was made by `create`
  };
  validate(initializer);
  deltaChannelHistoryTests(initializer);
  describe(`${adapter.name}, beyond the conformance suite`, () => {
    graphSuite(adapter);
    savedValuesSuite(adapter);
    savedWritesSuite(adapter);
    largeValuesSuite(adapter);
    threadsSuite(adapter);
  });
}
