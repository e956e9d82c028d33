import { z } from "zod";
import { SignalboxError } from "../errors.ts";
import { Cel, StepId } from "../definition/step.ts";
import { defineStep } from "./step.ts";

const Config = z.strictObject({
  condition: Cel.describe("CEL that gives true or false"),
  truePath: StepId.optional().describe("Next step when true"),
  falsePath: StepId.optional().describe("Next step when false"),
});

export default defineStep({
  type: "condition",
  title: "Condition",
  description: "Asks one question. Its output is `{result}`, for `when: output.result` where the paths are not named in the config.",
  group: "Flow",
  pure: true,
  config: Config,
  expressions: ["/condition"],
  routes: ({ truePath, falsePath }) => [
    ...(truePath === undefined ? [] : [{ to: truePath, when: "output.result" }]),
    ...(falsePath === undefined ? [] : [{ to: falsePath, when: "!output.result" }]),
  ],
  run({ config, evaluate }) {
    const result = evaluate(config.condition);
    if (typeof result === "boolean") return { kind: "done", output: { result } };
    throw new SignalboxError("EXPRESSION_FAILED", `"${config.condition}" gives no boolean.`, { details: { expression: config.condition } });
  },
});
