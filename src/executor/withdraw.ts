import type { Execution } from "../definition/execution.ts";
import type { Wait } from "../definition/wait.ts";
import { cancelChildren } from "./children.ts";
import type { Committer } from "./committer.ts";

/** Tells outsiders of waits that end without them: they are gone from the lists, and children are cancelled as their policy says. */
export function withdraw(
  { pending }: Committer,
  execution: Execution,
  waits: readonly Wait[],
  { at, reason }: { at: string; reason: string },
): void {
  pending.closeWaits.push(...waits.filter(({ isListed }) => isListed).map(({ id }) => ({ id, status: "cancelled" as const })));
  pending.sends.push(...cancelChildren(execution, waits, { at, reason }));
}
