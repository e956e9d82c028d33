import { Duration, PubSub, type SubscriberOptions } from "@google-cloud/pubsub";
import { SignalboxError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";

/** Longest time of one call to Pub/Sub, milliseconds; the client's own patience is a minute. */
export const CALL_DEADLINE_MS = 5_000;

/** How long messages wait that a process held when it died, seconds. */
const LONGEST_HOLD_SECONDS = 10;

/** gRPC status codes Pub/Sub answers with. */
export const CODE = { NOT_FOUND: 5, ALREADY_EXISTS: 6, PERMISSION_DENIED: 7 } as const;

const CONNECTION = {
  // A connection that died silently is noticed within 40 s instead of TCP's quarter of an hour.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // gRPC's own pauses grow to two minutes, which is how long we would stay away after an outage.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
};

/** A client that connects on first use; PUBSUB_EMULATOR_HOST leads it to the emulator. */
export function createPubSubClient(project: string): PubSub {
  return new PubSub({
    projectId: project,
    ...CONNECTION,
  });
}

/** One stream that holds at most `maxMessages` unacknowledged messages and comes back within seconds after an outage. */
export function pullOptions(maxMessages: number): SubscriberOptions {
  return {
    flowControl: { maxMessages, allowExcessMessages: false },
    // Acknowledgements wait 100 ms for company otherwise, and the server counts their messages as held for as long.
    batching: { maxMilliseconds: 10 },
    // The client lengthens it to what its slowest acknowledgements take, ten minutes at most, although it extends it while it lives.
    maxAckDeadline: Duration.from({ seconds: LONGEST_HOLD_SECONDS }),
    streamingOptions: { maxStreams: 1, retryMaxBackoff: Duration.from({ seconds: 2 }) },
    closeOptions: { behavior: "NACK", timeout: Duration.from({ seconds: 2 }) },
  };
}

/** The gRPC status of a thrown error, undefined for errors of another kind. */
export function statusOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "number" ? code : undefined;
}

/** The promise's answer, or UNAVAILABLE after `ms`; what is under way goes on by itself. */
export async function within<T>(promise: Promise<T>, clock: Clock, ms: number = CALL_DEADLINE_MS): Promise<T> {
  let cancel = (): void => {};
  const deadline = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => reject(new SignalboxError("UNAVAILABLE", `Pub/Sub did not answer within ${ms} ms.`)));
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    cancel();
  }
}
