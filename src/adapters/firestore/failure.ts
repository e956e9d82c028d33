import { SignalboxError } from "../../errors.ts";

/** gRPC status codes Firestore answers with. */
export const CODE = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  FAILED_PRECONDITION: 9,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
} as const;

/** The gRPC status of a thrown error, undefined for errors of another kind. */
export function statusOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "number" ? code : undefined;
}

export function isStatus(error: unknown, ...codes: number[]): boolean {
  const status = statusOf(error);
  return status !== undefined && codes.includes(status);
}

/**
 * What a failed call means to the rest of the service. Only answers that blame the request are INTERNAL; everything else (network,
 * quota, permissions, server faults) is the environment's and may pass: UNAVAILABLE.
 */
export function storeError(error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const status = statusOf(error);
  if (status === undefined || isStatus(error, CODE.INVALID_ARGUMENT, CODE.OUT_OF_RANGE, CODE.UNIMPLEMENTED)) {
    return new SignalboxError("INTERNAL", undefined, { cause: error });
  }
  return new SignalboxError("UNAVAILABLE", `Firestore answered with status ${status}.`, { cause: error, details: { status } });
}
