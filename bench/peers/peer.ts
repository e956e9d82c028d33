import type { Pool } from "undici";
import type { Child } from "../../test/e2e/support/child.ts";

/** `five`: five trivial steps. `work`: ten steps of 50 ms that write a line into a ledger when they are done. */
export type Task = "five" | "work";

export interface PeerOptions {
  port: number;
  /** Where it may keep its state. */
  folder: string;
  /** File the steps of `work` append to. */
  ledger: string;
  /** Executions it may run at once, where it has such a setting; its own default unless told. */
  concurrency?: number | undefined;
  /** A command it is started through. */
  through?: readonly string[] | undefined;
  /** File that gets a line per Firestore commit; nothing is counted unless told. */
  writes?: string | undefined;
}

/** One system under test: a process of its own behind HTTP. */
export interface Peer {
  name: string;
  /** True: its state is in Firestore, so writes are counted and not fsyncs. */
  countsWrites?: boolean;
  start(options: PeerOptions): Child;
  /** Once per state: makes ready what a batch of executions of `task` needs. */
  prepare(http: Pool, task: Task, batch: string): Promise<void>;
  /** The request that starts an execution; with `wait` it is answered when the execution is over. */
  request(task: Task, batch: string, run: number, wait: boolean): { path: string; body: string };
  /** Executions of the batch that are over. */
  progress(http: Pool, batch: string): Promise<number>;
  /** When each ended, epoch milliseconds, by id. */
  ends(http: Pool, batch: string): Promise<Map<string, number>>;
}

export const TASK_STEPS: Record<Task, number> = { five: 5, work: 10 };
export const WORK_MS = 50;
