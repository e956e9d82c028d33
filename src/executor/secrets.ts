import { SECRET } from "../compiler/context.ts";
import type { JsonObject } from "../definition/json.ts";
import type { Variable } from "../definition/workflow.ts";

/** Variables as they may be shown: secret ones as a word. */
export function hidden(values: JsonObject, declared: Record<string, Variable>): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, declared[name]?.secret ? SECRET : value]));
}
