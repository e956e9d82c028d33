import type { ExecutionHandle } from "./store.ts";

/** A hint that an execution may have something to do. The store is the truth: a lost hint only delays. */
export interface WorkHint {
  tenant: string;
  executionId: string;
  /** The record as just written, where the sender has it: saves the receiver a read. */
  handle?: ExecutionHandle | undefined;
  /** Where it stands among others that wait for a slot: the lowest first. */
  rank?: number | undefined;
}

/** Hints to work, between the API and the workers. */
export interface Queue {
  enqueue(hint: WorkHint): Promise<void>;
  /** Hands hints to `take` until the returned function is called. `take` never throws. */
  consume(take: (hint: WorkHint) => void, options?: ConsumeOptions): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export interface ConsumeOptions {
  /** How much the consumer can begin now. Where it is nothing, a queue that several processes share offers the hint to another one. */
  freeSlots?: (() => number) | undefined;
  /** True while a hint of this very process is better begun here than sent around: that saves the way and a read of the record. Never unless told. */
  keepsOwn?: (() => boolean) | undefined;
}
