import { AsyncLocalStorage } from "node:async_hooks";
import { SignalboxError } from "../../errors.ts";
import { systemClock } from "../../ports/clock.ts";

/** Longest time of one call of the store, milliseconds: a blackholed read was still pending after 90 s without it (reliability.md M1). */
export const CALL_DEADLINE_MS = 5_000;

interface Operation {
  until: number;
  /** What was begun meanwhile and goes on (a timer, a watcher that was told) still finds the operation around it: it must not die of it. */
  isOver: boolean;
}

const operations = new AsyncLocalStorage<Operation>();

/** The moment the surrounding operation ends, epoch milliseconds; undefined outside `withDeadline`, and when the operation is over. */
export function deadlineOfOperation(): number | undefined {
  const operation = operations.getStore();
  return operation && !operation.isOver ? operation.until : undefined;
}

/** Runs a call that must not inherit a deadline: a listener that lives on, or somebody who is told of what happened. */
export function withoutDeadline<T>(call: () => T): T {
  return operations.exit(call);
}

/**
 * The call's answer, or UNAVAILABLE after `ms`. Errors of Firestore's are passed on as they are: callers tell them by code.
 * `onEnd` is called when nothing of the call is under way any more, which may be a moment after the answer.
 */
export async function withDeadline<T>(call: () => Promise<T>, ms: number = CALL_DEADLINE_MS, onEnd: () => void = () => {}): Promise<T> {
  const now = systemClock.now();
  const until = Math.min(now + ms, deadlineOfOperation() ?? Infinity);
  return await new Promise<T>((resolve, reject) => {
    const cancel = systemClock.after(until - now, () =>
      reject(new SignalboxError("UNAVAILABLE", `Firestore did not answer within ${ms} ms.`)),
    );
    const operation = { until, isOver: false };
    operations
      .run(operation, call)
      .then(resolve, reject)
      .finally(() => {
        operation.isOver = true;
        cancel();
        onEnd();
      });
  });
}
