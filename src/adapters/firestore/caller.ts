import { SignalboxError } from "../../errors.ts";
import { systemClock } from "../../ports/clock.ts";
import { CALL_DEADLINE_MS, withDeadline } from "./deadline.ts";
import { CODE, isStatus, statusOf, storeError } from "./failure.ts";

// A commit answers in tens of milliseconds; after this long its outcome is looked up instead of waited for.
const ATTEMPT_MS = 2_500;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 400;

/** Runs calls that may be repeated (reads, deletions) until they succeed or the deadline is over; failures come as SignalboxError. */
export type Call = <T>(call: () => Promise<T>, ms?: number) => Promise<T>;

/** A write whose outcome an error leaves open: the answer may have got lost after the write was applied (reliability.md M1). */
export interface SettledWrite<T> {
  attempt: () => Promise<T>;
  /** Reads how things stand after an error: the result where the write is found done or refused for good, undefined to try again. */
  settle: () => Promise<{ result: T } | undefined>;
}

/** The way of every call of one store to Firestore. */
export interface Caller {
  call: Call;
  /** Attempts until the write is done, refused, or the deadline is over (UNAVAILABLE). Safe only for guarded or idempotent writes. */
  settled: <T>(write: SettledWrite<T>) => Promise<T>;
  /** Refuses what comes from now on, and resolves when what is under way has ended. */
  close(): Promise<void>;
}

export function createCaller(): Caller {
  let underWay = 0;
  let closed = false;
  let onIdle = (): void => {};

  async function run<T>(operation: () => Promise<T>, ms: number): Promise<T> {
    if (closed) throw new SignalboxError("UNAVAILABLE", "The store is closed.");
    underWay += 1;
    try {
      return await withDeadline(operation, ms, () => {
        underWay -= 1;
        if (underWay === 0) onIdle();
      });
    } catch (error) {
      throw storeError(error);
    }
  }

  return {
    call: async (call, ms = CALL_DEADLINE_MS) => await run(async () => await repeated(call, ms), ms),
    settled: async (write) => await run(async () => await settle(write), CALL_DEADLINE_MS),
    async close() {
      closed = true;
      // The client library throws into the void when it is terminated under a call.
      if (underWay > 0) await new Promise<void>((resolve) => (onIdle = resolve));
    },
  };
}

async function repeated<T>(call: () => Promise<T>, ms: number): Promise<T> {
  const until = systemClock.now() + ms;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      if (isFinal(error) || systemClock.now() + pause > until) throw error;
    }
    await rest(pause);
  }
}

async function settle<T>({ attempt, settle: look }: SettledWrite<T>): Promise<T> {
  const until = systemClock.now() + CALL_DEADLINE_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    let failure: unknown;
    try {
      return await withDeadline(attempt, Math.min(ATTEMPT_MS, until - systemClock.now()));
    } catch (error) {
      if (isMistake(error)) throw error;
      failure = error;
    }
    try {
      const found = await withDeadline(look, Math.min(ATTEMPT_MS, until - systemClock.now()));
      if (found) return found.result;
    } catch (error) {
      if (isMistake(error)) throw error;
      failure = error;
    }
    if (systemClock.now() + pause > until) throw storeError(failure);
    await rest(pause);
  }
}

async function rest(pause: number): Promise<void> {
  await new Promise<void>((resolve) => systemClock.after(pause * (0.5 + Math.random() / 2), resolve));
}

/** Errors that trying again cannot change: ours, mistakes in the request, mistakes in the code. */
function isMistake(error: unknown): boolean {
  if (error instanceof SignalboxError) return error.code !== "UNAVAILABLE";
  return statusOf(error) === undefined || isStatus(error, CODE.INVALID_ARGUMENT, CODE.OUT_OF_RANGE, CODE.UNIMPLEMENTED);
}

/** The same for calls that nobody settles: a refusal is an answer, too. */
function isFinal(error: unknown): boolean {
  return isMistake(error) || isStatus(error, CODE.NOT_FOUND, CODE.ALREADY_EXISTS, CODE.FAILED_PRECONDITION);
}
