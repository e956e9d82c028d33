import { openStore } from "../../src/adapters/open.ts";
import { createLocalQueue } from "../../src/adapters/local/queue.ts";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import type { Execution } from "../../src/definition/execution.ts";
import { createExecutor } from "../../src/executor/create-executor.ts";
import { emptyParts } from "../../src/executor/empty-commit.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { createTokenHub } from "../../src/executor/tokens.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { loadStepTypes } from "../../src/registry.ts";
import { createTriggerManager, type TriggerManager } from "../../src/triggers/manager.ts";
import { startScheduler, type Scheduler } from "../../src/triggers/scheduler.ts";
import { loadTriggerTypes } from "../../src/triggers/trigger-types.ts";
import { createWorkflowManager, type WorkflowManager } from "../../src/workflows/manager.ts";

export const ACTOR = { id: "ann", tenant: "default" };

/** What one process has of triggers; no worker runs, executions stay as they were started. */
export interface Process {
  store: Store;
  executor: Executor;
  triggers: TriggerManager;
  workflows: WorkflowManager;
  schedule(everyMs?: number): Scheduler;
  define(definition: object): Promise<void>;
  /** Everything that was started, oldest first. */
  started(): Promise<Execution[]>;
  lines: { message: string; fields: Record<string, unknown> }[];
}

export interface ProcessOptions {
  clock: Clock;
  /** Another process' store. */
  store?: Store;
  secrets?: Record<string, string>;
}

const types = await loadTriggerTypes();
const stepTypes = await loadStepTypes();

export async function aProcess({ clock, store: shared, secrets = {} }: ProcessOptions): Promise<Process> {
  const store = shared ?? (await openStore("sqlite::memory:", { ownerId: "test", clock }));
  const executor = createExecutor({ store, queue: createLocalQueue(), clock, tokens: createTokenHub() });
  const triggers = createTriggerManager({ store, executor, types, clock, readSecret: async (reference) => secrets[reference] });
  const workflows = createWorkflowManager({ store, stepTypes, triggerTypes: types, writes: triggers.writes, clock });
  const lines: Process["lines"] = [];
  return {
    store,
    executor,
    triggers,
    workflows,
    lines,
    schedule: (everyMs = 1_000) =>
      startScheduler({ store, executor, types, clock, everyMs, log: (message, fields) => void lines.push({ message, fields }) }),
    async define(definition) {
      await workflows.create(
        ACTOR,
        WorkflowInput.parse({ name: "w", steps: [{ id: "a", type: "transform", config: { set: {} } }], ...definition }),
      );
    },
    async started() {
      return (await store.executions.list(ACTOR.tenant, { pageSize: 200 })).items.toReversed();
    },
  };
}

/** Ends an execution, as a worker would. */
export async function end(store: Store, id: string): Promise<void> {
  const handle = await store.executions.get(ACTOR.tenant, id);
  if (!handle) throw new Error(`there is no execution ${id}`);
  const { execution, token } = handle;
  await store.executions.commit({
    guard: { epoch: execution.epoch, lastSeq: execution.lastSeq, token },
    execution: { ...execution, status: "COMPLETED", wakeAt: null },
    ...emptyParts(),
    events: [],
  });
}
