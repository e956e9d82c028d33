import { z } from "zod";
import { Cel } from "../definition/step.ts";
import { JsonValue, type Json, type JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep } from "./step.ts";

const Config = z.strictObject({
  of: JsonValue.describe('What is merged: the results of a parallel step, for example "${ steps.fan.output.results }"'),
  strategy: z.enum(["object", "array", "first", "expression"]).default("object"),
  expression: Cel.optional().describe("For `strategy: expression`: CEL over `item`, the results by branch name"),
});

export default defineStep({
  type: "merge",
  title: "Merge",
  description: "Makes one value of the results of branches: an object by branch, a list, the first one, or what an expression says.",
  group: "Flow",
  pure: true,
  config: Config,
  expressions: ["/expression"],
  check: ({ strategy, expression }) =>
    strategy === "expression" && expression === undefined
      ? [{ code: "INVALID_CONFIG", pointer: "/config/expression", message: "strategy: expression needs an expression." }]
      : [],
  run({ config, evaluate }) {
    const results = objectOf(config.of);
    switch (config.strategy) {
      case "object":
        return { kind: "done", output: results };
      case "array":
        return { kind: "done", output: Object.values(results) };
      case "first":
        return { kind: "done", output: Object.values(results)[0] ?? null };
      case "expression":
        return { kind: "done", output: evaluate(config.expression ?? "item", { item: results }) };
      default:
        return config.strategy satisfies never;
    }
  },
});

function objectOf(value: Json): JsonObject {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
  throw new SignalboxError("INVALID_INPUT", "`of` gives no object of results.");
}
