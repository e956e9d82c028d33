import { createHash } from "node:crypto";
import { parseExpression } from "../definition/expression.ts";
import type { JsonObject } from "../definition/json.ts";
import type { Execution } from "../definition/execution.ts";
import type { WorkflowDefinition } from "../definition/workflow.ts";

/** The limit on all that runs for a tenant. */
export const TENANT_LIMIT = "tenant";
/** A longer key is told by its digest: names are document ids. */
const LONGEST_KEY = 100;

/** Name of the limit an execution comes under by its workflow; undefined where that sets none. EXPRESSION_FAILED where the key has no value. */
export function limitOf(
  { limits }: WorkflowDefinition,
  { workflowId, input, trigger }: Pick<Execution, "workflowId" | "input" | "trigger">,
): string | undefined {
  if (!limits?.concurrency) return undefined;
  const { key } = limits.concurrency;
  if (key === undefined) return `workflow:${workflowId}`;
  const scope: JsonObject = { input, event: trigger.event, trigger: { type: trigger.type, id: trigger.id } };
  const value = parseExpression(key).evaluate(scope);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const isPlain = text.length <= LONGEST_KEY && text.isWellFormed();
  return `workflow:${workflowId}:${isPlain ? text : createHash("sha256").update(text, "utf16le").digest("hex")}`;
}
