import { z } from "zod";
import { ERRORS, type ErrorCode, type Issue, type SignalboxError } from "../errors.ts";

// The key list of a literal object is exactly its type's keys.
const CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457, the body of every refusal. */
export const Problem = z
  .object({
    type: z.string().describe("Address of the code's page, relative to the service"),
    title: z.string(),
    status: z.number().int(),
    code: z.enum(CODES).meta({ id: "ErrorCode" }),
    detail: z.string(),
    retryable: z.boolean().describe("true: the same request may succeed later"),
    requestId: z.string(),
    issues: z
      .array(z.object({ code: z.string(), pointer: z.string(), message: z.string(), hint: z.string().optional() }))
      .optional()
      .describe("Each problem with its JSON pointer"),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: "Problem" });

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  retryable: boolean;
  requestId: string;
  issues?: Issue[];
  details?: Record<string, unknown>;
}

/** An error as clients see it; what is unexpected shows its code and nothing of its message. */
export function problemOf(error: SignalboxError, requestId: string): Problem {
  const { title, status, retryable } = ERRORS[error.code];
  return {
    type: `/errors/${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.code === "INTERNAL" ? title : error.message,
    retryable,
    requestId,
    ...(error.issues.length > 0 && { issues: error.issues }),
    ...(Object.keys(error.details).length > 0 && error.code !== "INTERNAL" && { details: error.details }),
  };
}
