import type { Policy } from "../definition/workflow.ts";
import { SignalboxError } from "../errors.ts";

/** True when a list of tools names this one, by its name or as all tools of a server: `mcp:orders/*`. */
export function namesTool(list: readonly string[], name: string): boolean {
  return list.some((entry) => entry === name || (entry.endsWith("/*") && name.startsWith(entry.slice(0, -1))));
}

/** FORBIDDEN where the policy lists tools and this one, or action, is none of them. */
export function checkAllowed(policy: Policy | undefined, name: string): void {
  if (!policy?.allowedTools || namesTool(policy.allowedTools, name)) return;
  throw new SignalboxError("FORBIDDEN", `The policy does not allow "${name}".`, { details: { tool: name, happened: false } });
}
