import { AsyncLocalStorage } from "node:async_hooks";
import { SignalboxError } from "../../errors.ts";
import { systemClock } from "../../ports/clock.ts";

/** Longest time of one call of the store, milliseconds: a blackholed read was still pending after 90 s without it (reliability.md M1). */
export const CALL_DEADLINE_MS = 5_000;

const operations = new AsyncLocalStorage<{ until: number }>();

/** What gRPC hands to the hook below for each attempt of a call. */
interface CallProperties {
  callOptions: { deadline?: number | Date };
}

/**
 * gRPC hook (`callInvocationTransformer`): every attempt the client library makes inside `withDeadline`, its own retries included,
 * ends with the operation. Without it the library goes on for ten minutes after we gave up.
 */
export function carryDeadline<P extends CallProperties>(call: P): P {
  const operation = operations.getStore();
  return operation ? { ...call, callOptions: { ...call.callOptions, deadline: operation.until } } : call;
}

/** Runs a call that must not inherit a deadline: a listener that lives on. */
export function withoutDeadline<T>(call: () => T): T {
  return operations.exit(call);
}

/** The call's answer, or UNAVAILABLE after `ms`. Errors of Firestore's are passed on as they are: callers tell them by code. */
export async function withDeadline<T>(call: () => Promise<T>, ms: number = CALL_DEADLINE_MS): Promise<T> {
  const now = systemClock.now();
  const until = Math.min(now + ms, operations.getStore()?.until ?? Infinity);
  return await new Promise<T>((resolve, reject) => {
    const cancel = systemClock.after(until - now, () => reject(new SignalboxError("UNAVAILABLE", `Firestore did not answer within ${ms} ms.`)));
    operations
      .run({ until }, call)
      .then(resolve, reject)
      .finally(cancel);
  });
}
