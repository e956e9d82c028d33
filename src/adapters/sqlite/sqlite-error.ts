import { SignalboxError } from "../../errors.ts";

/** SQLite's primary result codes that speak of the machine, not of the statement. */
const BUSY = new Set([5, 6]); // BUSY, LOCKED
const MACHINE = new Set([5, 6, 7, 8, 10, 11, 13, 14, 26]); // and NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB

const WAIT_MS = 10_000;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** SQLite's primary result code, where the error is SQLite's. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

export function isBusy(error: unknown): boolean {
  return BUSY.has(resultCode(error) ?? -1);
}

/** Any error of a database operation as one of ours: UNAVAILABLE where the machine is to blame, INTERNAL where we are. */
export function toStoreError(error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  if (MACHINE.has(resultCode(error) ?? -1)) return unavailable("The store cannot be written", error);
  return new SignalboxError("INTERNAL", undefined, { cause: error });
}

/** UNAVAILABLE in one line, with the reason the system gave. */
export function unavailable(what: string, cause: unknown): SignalboxError {
  const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
  return new SignalboxError("UNAVAILABLE", `${what}: ${reason}`, { cause });
}

/**
 * Tries again while another process writes, for ten seconds unless told. SQLite's own waiting sleeps up to 100 ms between two looks; a commit
 * takes 0.1 ms. Blocks the thread: for the writer's own thread, and for opening.
 */
export function untilFree<T>(work: () => T, waitMs = WAIT_MS): T {
  const giveUp = performance.now() + waitMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUp) throw error;
      Atomics.wait(sleeper, 0, 0, 1);
    }
  }
}
