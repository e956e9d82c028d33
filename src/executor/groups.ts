import type { GroupRules, Staged } from "../compiler/host.ts";
import type { Execution } from "../definition/execution.ts";
import { SignalboxError } from "../errors.ts";

/** The groups of regions of an execution: who ended is in the record, who may go on is decided here. */
export interface Groups {
  signal(key: string, rules?: GroupRules): AbortSignal | undefined;
  /** Takes in what a task tells of regions. */
  apply(staged: Staged): void;
}

interface LiveGroup {
  rules: GroupRules;
  controller: AbortController;
}

/** `withdraw` is told the paths of the regions that are not needed any more: what their steps wait for is over. */
export function createGroups({ draft, withdraw }: { draft: Execution; withdraw(branches: string[]): void }): Groups {
  const live = new Map<string, LiveGroup>();

  function settle(key: string): void {
    const group = live.get(key);
    if (!group || group.controller.signal.aborted) return;
    const ended = draft.groups[key] ?? {};
    const count = (status: string) => Object.values(ended).filter((each) => each === status).length;
    const isOver = count("completed") >= group.rules.quorum || (group.rules.failFast && count("failed") > 0);
    if (!isOver) return;
    group.controller.abort(new SignalboxError("CANCELLED", "The branch is not needed any more."));
    const open = Object.entries(group.rules.branches).filter(([name]) => ended[name] === undefined);
    withdraw(open.map(([, branch]) => branch));
  }

  return {
    signal(key, rules) {
      if (rules && !live.has(key)) {
        live.set(key, { rules, controller: new AbortController() });
        settle(key);
      }
      return live.get(key)?.controller.signal;
    },
    apply({ region, closedGroups }) {
      if (region) {
        draft.groups[region.group] = { ...draft.groups[region.group], [region.name]: region.status };
        settle(region.group);
      }
      for (const { key, again } of closedGroups ?? []) {
        live.delete(key);
        const kept = Object.entries(draft.groups[key] ?? {}).filter(([name]) => !again.includes(name));
        if (again.length === 0) delete draft.groups[key];
        else draft.groups[key] = Object.fromEntries(kept);
      }
    },
  };
}
