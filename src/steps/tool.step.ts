import { z } from "zod";
import { Duration, durationMs } from "../definition/duration.ts";
import { JsonRecord } from "../definition/json.ts";
import { actionContext } from "./action-context.ts";
import { defineStepWith } from "./step.ts";
import { checkAllowed } from "./tool-policy.ts";

const Config = z.strictObject({
  tool: z.string().min(1).max(255).describe("`mcp:<server>/<tool>`, or the name of a tool or an action of this service"),
  args: JsonRecord.default({}).describe("What the tool takes; texts may hold ${ cel }"),
  timeout: Duration.default("60s").describe("Longest time of the call"),
});

export default defineStepWith<z.infer<typeof Config>>(({ tools }) => ({
  type: "tool",
  title: "Tool",
  description: "Calls a tool: of an MCP server, of LangChain, or an action.",
  group: "AI",
  config: Config,
  literal: ["/tool"],
  check({ tool }) {
    const problem = tools.problemWith(tool);
    return problem ? [{ code: "INVALID_CONFIG", pointer: "/config/tool", ...problem }] : [];
  },
  async run(context) {
    const { tool: name, args, timeout } = context.config;
    checkAllowed(context.policy, name);
    const tool = await tools.find(name);
    const { text, json, content } = await tool.call(args, { ...actionContext(context), timeoutMs: durationMs(timeout) ?? 60_000 });
    return { kind: "done", output: { tool: name, text, json, content } };
  },
}));
