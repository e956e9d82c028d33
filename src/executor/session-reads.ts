import { decisionIdOf } from "../ai/decision-record.ts";
import type { Decision } from "../definition/decision.ts";
import type { Execution } from "../definition/execution.ts";
import type { Json } from "../definition/json.ts";
import type { Memory } from "../definition/memory.ts";
import { SignalboxError } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import { patientRead, type Patience } from "./patient-read.ts";

/** What a session reads while it runs: patiently, because a store that is away for a moment fails no execution. */
export interface SessionReads {
  /** Large values by reference; kept, so that each is read once. INTERNAL where one is not there. */
  values(refs: readonly string[]): Promise<Map<string, Json>>;
  /** Values that were made here. */
  keep(values: readonly { ref: string; value: Json }[]): void;
  memory(key: string): Promise<Memory | undefined>;
  decision(path: string, visit: number): Promise<Decision | undefined>;
  isRecorded(decisionId: string): Promise<boolean>;
  /** Whether another execution of the tenant is there. */
  exists(executionId: string): Promise<boolean>;
}

export function createSessionReads(store: Store, { id, tenant }: Pick<Execution, "id" | "tenant">, patience: Patience): SessionReads {
  const loaded = new Map<string, Json>();
  return {
    async values(refs) {
      const missing = refs.filter((ref) => !loaded.has(ref));
      if (missing.length > 0) {
        const found = await patientRead(() => store.events.values(tenant, id, missing), patience);
        for (const [ref, value] of found) loaded.set(ref, value);
        // A value is committed with what refers to it. One that is gone must not be taken for null: an expression would go on with it.
        const lost = missing.find((ref) => !loaded.has(ref));
        if (lost !== undefined) throw new SignalboxError("INTERNAL", "A stored value is missing.", { details: { ref: lost } });
      }
      return loaded;
    },
    keep(values) {
      for (const { ref, value } of values) loaded.set(ref, value);
    },
    memory: (key) => patientRead(() => store.memories.get(tenant, key), patience),
    decision: (path, visit) => patientRead(() => store.decisions.get(tenant, decisionIdOf(`${id}/${path}/${visit}`)), patience),
    exists: async (executionId) => (await patientRead(() => store.executions.get(tenant, executionId), patience)) !== undefined,
    isRecorded: async (decisionId) => (await patientRead(() => store.decisions.get(tenant, decisionId), patience)) !== undefined,
  };
}
