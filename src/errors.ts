/**
 * The one error table. REST prints a row as `application/problem+json`, GraphQL as `extensions`, WebSocket as an error frame.
 * `retryable` is what step retry, queue redelivery and clients look at. Every code has a page in `docs/errors/`.
 */
export const ERRORS = {
  INVALID_INPUT: { status: 400, retryable: false, title: "The input does not fit its schema" },
  INVALID_DEFINITION: { status: 400, retryable: false, title: "The workflow definition has problems" },
  EVENT_MISMATCH: { status: 400, retryable: false, title: "The event does not fit its registered type" },
  MALFORMED_JSON: { status: 400, retryable: false, title: "The body is not JSON" },
  INVALID_PAGE_TOKEN: { status: 400, retryable: false, title: "The page token is not one of ours" },
  UNAUTHENTICATED: { status: 401, retryable: false, title: "No valid credentials" },
  FORBIDDEN: { status: 403, retryable: false, title: "The principal may not do this" },
  NOT_FOUND: { status: 404, retryable: false, title: "There is no such thing" },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, title: "The path does not take this method" },
  CONFLICT: { status: 409, retryable: false, title: "The request does not fit the present state" },
  ALREADY_DECIDED: { status: 409, retryable: false, title: "Somebody decided this first" },
  ALREADY_VOTED: { status: 409, retryable: false, title: "The principal has voted on this before" },
  CALLBACK_OVER: { status: 410, retryable: false, title: "The callback is used up, or came too late" },
  WORKFLOW_NOT_ACTIVE: { status: 409, retryable: false, title: "The workflow is not active" },
  VERSION_MISMATCH: { status: 412, retryable: false, title: "The resource changed since it was read" },
  TOO_LARGE: { status: 413, retryable: false, title: "The value is larger than allowed" },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, title: "The content type is not supported" },
  IDEMPOTENCY_MISMATCH: { status: 422, retryable: false, title: "The idempotency key was used with another request" },
  LIMIT_EXCEEDED: { status: 429, retryable: true, title: "A limit is reached" },
  EXPRESSION_FAILED: { status: 422, retryable: false, title: "An expression could not be evaluated" },
  NO_ROUTE: { status: 422, retryable: false, title: "No next step applies" },
  STEP_FAILED: { status: 502, retryable: true, title: "A step failed" },
  STEP_TIMEOUT: { status: 504, retryable: true, title: "A step ran out of time" },
  REQUEST_REFUSED: { status: 502, retryable: false, title: "A request to the outside was refused, here or by its receiver" },
  EFFECT_UNKNOWN: { status: 409, retryable: false, title: "Nobody knows whether an effect happened" },
  STEP_REJECTED: { status: 422, retryable: false, title: "An approval was rejected and no route leads on" },
  WAIT_EXPIRED: { status: 504, retryable: false, title: "A wait ran out of time and no route leads on" },
  TASK_FAILED: { status: 502, retryable: true, title: "A task failed in the hands of its workers" },
  TASK_REJECTED: { status: 422, retryable: false, title: "A worker says that a task cannot be done" },
  TASK_LEASE_LOST: { status: 409, retryable: false, title: "The task is in other hands now" },
  TASK_WITHDRAWN: { status: 409, retryable: false, title: "Nobody waits for the task any more" },
  CHILD_FAILED: { status: 502, retryable: true, title: "A child execution failed" },
  CHILD_CANCELLED: { status: 409, retryable: false, title: "A child execution was cancelled" },
  CHILD_DEPTH_EXCEEDED: { status: 422, retryable: false, title: "Child executions lie too deep below one another" },
  CHAIN_TOO_LONG: { status: 422, retryable: false, title: "Too many executions started each other by events" },
  MAX_STEPS_EXCEEDED: { status: 422, retryable: false, title: "The execution took more steps than its limit" },
  MAX_VISITS_EXCEEDED: { status: 422, retryable: false, title: "A step was entered more often than its limit" },
  LOOP_LIMIT_EXCEEDED: { status: 422, retryable: false, title: "A loop ran more rounds than its limit" },
  MAX_DURATION_EXCEEDED: { status: 422, retryable: false, title: "The execution ran longer than its limit" },
  BUDGET_EXCEEDED: { status: 422, retryable: false, title: "The model budget is used up" },
  DECISION_FAILED: { status: 502, retryable: false, title: "The decision maker found no allowed choice" },
  CIRCUIT_OPEN: { status: 503, retryable: true, title: "Whom the step would call failed too often and is left alone" },
  MODEL_FAILED: { status: 502, retryable: true, title: "The model did not give a usable answer" },
  MODEL_NOT_CONFIGURED: { status: 422, retryable: false, title: "The model cannot be used as configured" },
  LEASE_LOST: { status: 409, retryable: true, title: "Another worker owns the execution now" },
  CANCELLED: { status: 409, retryable: false, title: "The execution was cancelled" },
  UNAVAILABLE: { status: 503, retryable: true, title: "The store or a dependency cannot be reached" },
  TIMEOUT: { status: 504, retryable: true, title: "The request ran out of time" },
  INTERNAL: { status: 500, retryable: false, title: "Something unexpected happened" },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** One problem among several: `pointer` is an RFC 6901 JSON pointer into the offending document. */
export interface Issue {
  code: string;
  pointer: string;
  message: string;
  hint?: string | undefined;
}

export interface ErrorOptions {
  issues?: Issue[];
  /** Small, printable facts a client may act on; never payloads or secrets. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** The only error class that crosses a module boundary; its code is a row of the table above. */
export class SignalboxError extends Error {
  readonly code: ErrorCode;
  readonly issues: Issue[];
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string = ERRORS[code].title, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SignalboxError";
    this.code = code;
    this.issues = options.issues ?? [];
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** The error for an id that does not exist in the caller's tenant; a foreign id looks the same. */
export function notFound(kind: string, id: string): SignalboxError {
  return new SignalboxError("NOT_FOUND", `There is no ${kind} "${id}".`, { details: { kind, id } });
}

/** Stack of an error and of what caused it, for logs. */
export function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\nCaused by: ${traceOf(error.cause)}`;
}

/** Anything thrown, as one of ours. Unknown errors become INTERNAL and keep their cause, never their message. */
export function toSignalboxError(error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  return new SignalboxError("INTERNAL", ERRORS.INTERNAL.title, { cause: error });
}
