import { toSignalboxError } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { ExecutionHandle, Store } from "../ports/store.ts";
import { emptyParts } from "./empty-commit.ts";

/** A process that cannot run an execution leaves it alone for so long, milliseconds; doubled each time. */
const FIRST_REST_MS = 5_000;
const LONGEST_REST_MS = 300_000;
/** Due for so long, milliseconds, it is taken that no process can run it; until then another one may. */
const HOPELESS_MS = 60_000;
/** Executions remembered; one that is forgotten is tried once more. */
const CAPACITY = 10_000;

/**
 * Executions this process cannot run: their workflow uses a step type it does not know, as happens while versions are mixed. They are
 * neither failed nor tried without a pause.
 */
export interface Unable {
  isResting(executionId: string): boolean;
  /** What is needed to run an execution; undefined where this process does not have it. Rejects while that cannot be read. */
  unless<T>(handle: ExecutionHandle, prepare: () => Promise<T>): Promise<T | undefined>;
}

interface UnableOptions {
  store: Store;
  clock: Clock;
  log(message: string, fields: Record<string, unknown>): void;
}

export function createUnable({ store, clock, log }: UnableOptions): Unable {
  const rests = new Map<string, { until: number; ms: number }>();
  function note(executionId: string): void {
    const ms = Math.min((rests.get(executionId)?.ms ?? FIRST_REST_MS / 2) * 2, LONGEST_REST_MS);
    rests.delete(executionId);
    rests.set(executionId, { until: clock.now() + ms, ms });
    if (rests.size > CAPACITY) rests.delete(rests.keys().next().value ?? executionId);
  }

  /** Makes way for others that are due, where it seems that no process can run it. */
  async function putOff({ execution, token }: ExecutionHandle): Promise<void> {
    const now = clock.now();
    if (execution.wakeAt === null || now - execution.wakeAt < HOPELESS_MS) return;
    const { epoch, lastSeq } = execution;
    const wakeAt = Math.round(now + LONGEST_REST_MS * (0.75 + Math.random() / 2));
    await store.executions.commit({
      guard: { epoch, lastSeq, token },
      execution: { ...structuredClone(execution), epoch: epoch + 1, owner: null, leaseUntil: null, wakeAt, updatedAt: isoTime(clock) },
      events: [],
      ...emptyParts(),
    });
  }

  return {
    isResting: (executionId) => (rests.get(executionId)?.until ?? 0) > clock.now(),
    async unless(handle, prepare) {
      try {
        return await prepare();
      } catch (thrown) {
        const error = toSignalboxError(thrown);
        if (error.code === "UNAVAILABLE") throw error;
        const { id, workflowId, workflowVersion } = handle.execution;
        note(id);
        log("execution cannot run here", { executionId: id, workflowId, workflowVersion, error: error.message });
        await putOff(handle);
        return undefined;
      }
    },
  };
}
