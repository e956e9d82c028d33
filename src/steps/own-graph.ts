import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";
import { INTERRUPT, isInterrupted } from "@langchain/langgraph";
import type { StepContext } from "./step.ts";

/** LangGraph's own bound is 25 supersteps per invocation; a step has bounds of its own. */
const NO_RECURSION_LIMIT = 1_000_000;

interface OwnGraphRun<S> {
  /** Tasks of one superstep that run at the same time. */
  maxConcurrency: number;
  /** Invokes the graph with an input where its thread has not begun, and with null where it has. */
  invoke(config: object, hasBegun: boolean): Promise<S>;
}

/**
 * Runs a graph on the step's own thread: from the start, or on from its last superstep. Resolves with its state, and with what its
 * nodes were interrupted for: the step then waits for an answer, and comes here again with it.
 */
export async function runOwnGraph<S extends object, I>(
  { thread, signal, idempotencyKey }: Pick<StepContext, "thread" | "signal" | "idempotencyKey">,
  { maxConcurrency, invoke }: OwnGraphRun<S>,
): Promise<{ state: S; interrupts: I[] }> {
  const configurable = { thread_id: idempotencyKey };
  const hasBegun = (await thread.checkpointer.getTuple({ configurable })) !== undefined;
  const config = { configurable, durability: "sync", recursionLimit: NO_RECURSION_LIMIT, maxConcurrency, signal };
  // Without what LangGraph knows of the node around it: it would take this graph for a part of the workflow's.
  const storage = AsyncLocalStorageProviderSingleton.getInstance();
  const state = await storage.run(undefined, () => invoke(config, hasBegun));
  // The values are what this graph's own nodes gave to `interrupt`.
  const interrupts = isInterrupted<I>(state) ? state[INTERRUPT].flatMap(({ value }) => (value === undefined ? [] : [value])) : [];
  return { state, interrupts };
}
