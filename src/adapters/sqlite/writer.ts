import { runBatch, valueOf, type Outcome, type Write } from "./batch.ts";
import type { Database } from "./database.ts";
import type { ArgumentOf, OperationName, ResultOf } from "./operations.ts";

/** The one writer of a store handle. A write's promise resolves when it is durable. */
export interface Writer {
  write<N extends OperationName>(name: N, argument: ArgumentOf<N>): Promise<ResultOf<N>>;
  /** Takes no more, and resolves when what was accepted is written. */
  drain(): Promise<void>;
  /** Ends the writer; after `drain`. */
  close(): Promise<void>;
}

/** Runs batches of writes, each batch in one transaction or together with others. */
export interface BatchRunner {
  run(writes: Write[]): Promise<Outcome[]>;
  close(): Promise<void>;
}

interface Waiting {
  write: Write;
  settle(outcome: Outcome): void;
}

/** Gathers the writes of one turn of the event loop into one batch. */
export function createWriter(runner: BatchRunner): Writer {
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let isClosed = false;
  const idle: (() => void)[] = [];

  async function flush(): Promise<void> {
    const batch = waiting;
    waiting = [];
    const outcomes = await runner.run(batch.map(({ write }) => write));
    for (const [index, { settle }] of batch.entries()) settle(outcomes[index] ?? BROKEN);
    inFlight -= batch.length;
    if (inFlight === 0) for (const resolve of idle.splice(0)) resolve();
  }

  function accept(write: Write, settle: (outcome: Outcome) => void): void {
    if (isClosed) return settle(CLOSED);
    if (waiting.length === 0) {
      // While the writer is busy anyway, wait for all that this turn brings: a message between threads costs 10 us, a write in it 1 us.
      // A flush never rejects: a failed batch is an outcome.
      if (inFlight === 0) queueMicrotask(() => void flush());
      else setImmediate(() => void flush());
    }
    inFlight += 1;
    waiting.push({ write, settle });
  }

  return {
    write<N extends OperationName>(name: N, argument: ArgumentOf<N>) {
      return new Promise<ResultOf<N>>((resolve, reject) => {
        accept([name, argument], (outcome) => {
          try {
            resolve(valueOf(outcome) as ResultOf<N>); // the operation of this name made it
          } catch (error) {
            reject(error);
          }
        });
      });
    },
    async drain() {
      isClosed = true;
      if (inFlight > 0) await new Promise<void>((resolve) => idle.push(resolve));
    },
    close: () => runner.close(),
  };
}

const CLOSED: Outcome = [undefined, "UNAVAILABLE", "The store is closed.", {}];
const BROKEN: Outcome = [undefined, "UNAVAILABLE", "The store's writer gave no answer.", {}];

/** Writes in this thread: for `:memory:`, where nothing waits for a disk. */
export function inProcessRunner(database: Database): BatchRunner {
  return {
    run: (writes) => Promise.resolve(runBatch(database, writes)),
    close: () => Promise.resolve(),
  };
}
