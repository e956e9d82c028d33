import { z } from "zod";
import { inputIssues, runAction } from "../actions/run-action.ts";
import { didYouMean } from "../definition/closest-name.ts";
import { JsonRecord } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { actionContext } from "./action-context.ts";
import { defineStepWith } from "./step.ts";
import { checkAllowed } from "./tool-policy.ts";

const Config = z.strictObject({
  action: z.string().min(1).max(120).describe("Name of an action"),
  input: JsonRecord.default({}).describe("What the action takes; texts may hold ${ cel }"),
});

export default defineStepWith<z.infer<typeof Config>>(({ actions }) => ({
  type: "action",
  title: "Action",
  description: "Runs a named handler of the service or of its operator.",
  group: "Work",
  config: Config,
  literal: ["/action"],
  effect: ({ action }) => actions.get(action)?.effect,
  check({ action: name, input }) {
    const action = actions.get(name);
    // What an expression gives is only known later, and checked then.
    if (action) return JSON.stringify(input).includes("${") ? [] : inputIssues(action, input, "/config/input");
    const names = actions.list().map((known) => known.name);
    const hint = didYouMean(name, names) ?? `Actions are ${names.join(", ")}.`;
    return [{ code: "INVALID_CONFIG", pointer: "/config/action", message: `There is no action "${name}".`, hint }];
  },
  async run(context) {
    const { config, policy } = context;
    const action = actions.get(config.action);
    if (!action) throw new SignalboxError("INVALID_INPUT", `There is no action "${config.action}".`, { details: { happened: false } });
    checkAllowed(policy, action.name);
    return { kind: "done", output: await runAction(action, config.input, actionContext(context)) };
  },
}));
