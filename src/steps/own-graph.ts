import { INTERRUPT, isGraphDrained, isInterrupted, RunControl } from "@langchain/langgraph";
import type { Json } from "../definition/json.ts";
import { outsideOfGraphs } from "./outside-of-graphs.ts";
import type { StepContext, StepResult } from "./step.ts";

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
 * nodes were interrupted for: the step then waits for an answer, and comes here again with it. Undefined where it stopped between two
 * supersteps because this process gives the execution away: the step then ends with `goOnElsewhere`.
 */
export async function runOwnGraph<S extends object, I>(
  { thread, signal, idempotencyKey }: Pick<StepContext, "thread" | "signal" | "idempotencyKey">,
  { maxConcurrency, invoke }: OwnGraphRun<S>,
): Promise<{ state: S; interrupts: I[] } | undefined> {
  const configurable = { thread_id: idempotencyKey };
  const hasBegun = (await thread.checkpointer.getTuple({ configurable })) !== undefined;
  const control = new RunControl();
  const leave = (): void => control.requestDrain("shutdown");
  if (thread.leaving.aborted) leave();
  thread.leaving.addEventListener("abort", leave);
  const config = { configurable, durability: "sync", recursionLimit: NO_RECURSION_LIMIT, maxConcurrency, signal, control };
  try {
    const state = await outsideOfGraphs(() => invoke(config, hasBegun));
    // The values are what this graph's own nodes gave to `interrupt`.
    const interrupts = isInterrupted<I>(state) ? state[INTERRUPT].flatMap(({ value }) => (value === undefined ? [] : [value])) : [];
    return { state, interrupts };
  } catch (thrown) {
    if (!isGraphDrained(thrown)) throw thrown;
    return undefined;
  } finally {
    thread.leaving.removeEventListener("abort", leave);
  }
}

/** A wait that is over at once: whoever takes the execution up calls `resume` with `state`, in the same attempt. */
export function goOnElsewhere({ now }: Pick<StepContext, "now">, state: Json): StepResult {
  return { kind: "wait", wait: { kind: "timer", dueAt: now(), state, summary: "stops between two rounds, to go on in another process." } };
}
