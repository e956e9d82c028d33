import { z } from "zod";
import { JsonValue } from "../../definition/json.ts";
import type { OpenWait } from "../../definition/wait.ts";

/** An effect whose outcome was unknown, as clients see it. */
export const UnknownEffect = z
  .object({
    id: z.string().describe("The same as in the inbox of approvals"),
    executionId: z.string(),
    workflowId: z.string(),
    stepId: z.string(),
    visit: z.number().int(),
    attempt: z.number().int(),
    idempotencyKey: z.string().describe("What the receiver was given: ask there what became of it"),
    why: z.string().nullable().describe("How the call was cut off"),
    since: z.string(),
    outcome: z.string().nullable().describe("happened, retry or fail; null while nobody knows"),
    output: JsonValue.describe("What the step is said to have given"),
    settledBy: z.string().nullable(),
    settledAt: z.string().nullable(),
  })
  .meta({ id: "UnknownEffect" });
export type UnknownEffect = z.infer<typeof UnknownEffect>;

const Evidence = z.object({ idempotencyKey: z.string(), attempt: z.number().int() });

export function effectView({ request, answer, ...wait }: OpenWait): UnknownEffect {
  const { idempotencyKey, attempt } = Evidence.catch({ idempotencyKey: "", attempt: 1 }).parse(request["evidence"]);
  const { decision, values } = answer?.data ?? {};
  return {
    id: wait.id,
    executionId: wait.executionId,
    workflowId: wait.workflowId,
    stepId: wait.stepId,
    visit: wait.visit,
    attempt,
    idempotencyKey,
    why: typeof request["description"] === "string" ? request["description"] : null,
    since: wait.createdAt,
    outcome: typeof decision === "string" ? decision : null,
    output: values ?? null,
    settledBy: answer?.principal ?? null,
    settledAt: answer?.at ?? null,
  };
}
