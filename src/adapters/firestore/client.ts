import { Firestore } from "@google-cloud/firestore";
import { singleAttempt, type CallProperties } from "./single-attempt.ts";

export interface FirestoreClientOptions {
  /** Project id; a `demo-` project on the emulator. */
  project: string;
  /** Database of the project; "(default)" unless told. */
  databaseId?: string | undefined;
  /** Sees every call before it is sent, retries included: for tests and counters. */
  onCall?: ((method: string, request: unknown) => unknown) | undefined;
}

/** A client whose calls obey `withDeadline`. It connects on first use; FIRESTORE_EMULATOR_HOST leads it to the emulator. */
export function createFirestoreClient({ project, databaseId, onCall }: FirestoreClientOptions): Firestore {
  return new Firestore({
    projectId: project,
    ...(databaseId === undefined ? {} : { databaseId }),
    ignoreUndefinedProperties: true,
    // The older way of gax repeats reads whatever the error.
    gaxServerStreamingRetries: true,
    "grpc.callInvocationTransformer": (call: CallProperties) => {
      onCall?.(call.methodDefinition.path.slice(call.methodDefinition.path.lastIndexOf("/") + 1), call.argument);
      return singleAttempt(call);
    },
    // A connection that died silently is noticed within 40 s instead of TCP's quarter of an hour.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // gRPC's own pauses grow to two minutes, which is how long we would stay away after an outage.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
  });
}
