import type { ModelTool } from "../ai/model-call.ts";
import type { Policy } from "../definition/workflow.ts";
import type { Tool, Tools } from "../tools/tool.ts";
import { checkAllowed, namesTool } from "./tool-policy.ts";

const MAX_NAME = 64;

/** The tools of an agent, under names that models take. */
export interface Toolbox {
  forModel: ModelTool[];
  get(modelName: string): Tool | undefined;
}

/** FORBIDDEN for a tool that is named and not allowed; of all tools of a server only the allowed ones are taken. */
export async function createToolbox(tools: Tools, names: readonly string[], policy: Policy | undefined): Promise<Toolbox> {
  for (const name of names) if (!name.endsWith("/*")) checkAllowed(policy, name);
  const selected = await tools.select(names);
  const allowed = selected.filter(({ name }) => !policy?.allowedTools || namesTool(policy.allowedTools, name));
  const byName = new Map<string, Tool>();
  for (const tool of allowed) byName.set(freeName(tool.name, byName), tool);
  return {
    forModel: [...byName].map(([name, { description, schema }]) => ({ name, description, schema })),
    get: (name) => byName.get(name),
  };
}

/** Models take letters, digits, `_` and `-`, so `mcp:orders/find` is `orders_find`. */
function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  const plain = name
    .replace(/^mcp:/, "")
    .replaceAll(/[^A-Za-z0-9_-]/g, "_")
    .slice(0, MAX_NAME);
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? plain : `${plain.slice(0, MAX_NAME - 4)}_${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}
