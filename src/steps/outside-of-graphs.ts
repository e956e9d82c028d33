import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";

/**
 * Runs a graph that is no part of the one around it. LangGraph takes a graph that begins inside a node (a step's own; an execution that a node's
 * commit woke) for a part of the node's, and keeps its checkpoints under the node's namespace, where nobody looks for them.
 */
export function outsideOfGraphs<T>(run: () => Promise<T>): Promise<T> {
  return AsyncLocalStorageProviderSingleton.getInstance().run(undefined, run);
}
