import { compileWorkflow, type CompiledWorkflow } from "../compiler/compile.ts";
import type { StepHost } from "../compiler/host.ts";
import type { Execution } from "../definition/execution.ts";
import { notFound } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import type { StepTypes } from "../registry.ts";
import { createLru } from "./lru.ts";
import type { SessionSaver } from "./session-saver.ts";

/** Compiled versions kept; making one of 50 steps again costs 0.4 ms, so leaving is cheap. */
const CAPACITY = 500;

interface CompiledOptions {
  store: Store;
  stepTypes: StepTypes;
  saver: SessionSaver;
  hostOf(session: string): StepHost;
}

/** The compiled graph of the version an execution is pinned to; versions never change, so it is made once per process. */
export function createCompiled({ store, stepTypes, saver, hostOf }: CompiledOptions) {
  const cache = createLru<Promise<CompiledWorkflow>>(CAPACITY);
  return (execution: Execution): Promise<CompiledWorkflow> => {
    const { tenant, workflowId, workflowVersion } = execution;
    const key = `${tenant}/${workflowId}@${workflowVersion}`;
    return cache.get(key, async () => {
      try {
        const definition = await store.workflows.getVersion(tenant, workflowId, workflowVersion);
        if (!definition) throw notFound("workflow version", `${workflowId}@${workflowVersion}`);
        return compileWorkflow(definition, { stepTypes, checkpointer: saver, hostOf });
      } catch (error) {
        // A failed read must not be remembered.
        cache.delete(key);
        throw error;
      }
    });
  };
}
