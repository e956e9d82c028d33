import type { Memory } from "../definition/memory.ts";

/** What prompts and agents of several executions remember under a key. Written by `executions.commit`. */
export interface MemoryStore {
  /** Undefined where nothing is remembered, or no more. */
  get(tenant: string, key: string): Promise<Memory | undefined>;
  /** False where there was nothing. */
  delete(tenant: string, key: string): Promise<boolean>;
}
