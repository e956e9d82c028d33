import { systemClock } from "../../ports/clock.ts";
import { deadlineOfOperation } from "./deadline.ts";

const CANCELLED = 1;
/** UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE: what Google's layers repeat by themselves. */
const REPEATED_CODES: ReadonlySet<number> = new Set([2, 4, 8, 10, 13, 14]);
const LONGEST_CALL_MS = 60_000;

/** The parts of gRPC's client interface that the two hooks below touch. */
interface Status {
  code: number;
  details: string;
}
interface Listener {
  onReceiveStatus?: (status: Status) => void;
}
interface Call {
  start: (metadata: unknown, listener: Listener) => void;
}
type Interceptor = (options: unknown, nextCall: (options: unknown) => Call) => Call;

/** What gRPC knows of a call before it is sent. */
export interface CallProperties {
  argument: unknown;
  methodDefinition: { path: string };
  callOptions: { deadline?: number | Date; interceptors?: Interceptor[] };
}

/**
 * gRPC hook (`callInvocationTransformer`): a call is sent once and ends with the operation it belongs to. The three layers below us
 * repeat calls for up to ten minutes, beyond any deadline and each by its own rules; here the caller decides, which alone knows
 * whether a repeat is safe. Streams of listeners are left to the library.
 */
export function singleAttempt<P extends CallProperties>(call: P): P {
  if (call.methodDefinition.path.endsWith("/Listen")) return call;
  const deadline = deadlineOfOperation() ?? systemClock.now() + LONGEST_CALL_MS;
  return { ...call, callOptions: { ...call.callOptions, deadline, interceptors: [endForGood] } };
}

/** Ends a call with the one status that nobody below repeats; the details keep the real one. */
const endForGood: Interceptor = (options, nextCall) => {
  const call = nextCall(options);
  const start = call.start.bind(call);
  call.start = (metadata, listener) => {
    const onReceiveStatus = (status: Status): void => {
      const { code, details } = status;
      listener.onReceiveStatus?.(REPEATED_CODES.has(code) ? { ...status, code: CANCELLED, details: `status ${code}: ${details}` } : status);
    };
    start(metadata, { ...listener, onReceiveStatus });
  };
  return call;
};
