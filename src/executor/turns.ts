import type { Execution, InboxMessage, VerbsTaken } from "../definition/execution.ts";

/** Keys of verbs an execution remembers; one that comes again after so many others counts as new. */
const MAX_KEYED = 50;

const NONE: VerbsTaken = { turns: 0, retries: 0, keyed: [] };

/** What a verb is based on: the turns its sender knew of. */
export function turnsOf({ verbs = NONE }: Pick<Execution, "verbs">): NonNullable<InboxMessage["basedOn"]> {
  return { turns: verbs.turns, retries: verbs.retries };
}

/** The execution was paused, resumed or tried again: what was asked of it before is void. */
export function takeTurn(draft: Execution, by: "pause" | "resume" | "retry"): void {
  const { turns, retries, keyed } = draft.verbs ?? NONE;
  draft.verbs = { turns: turns + 1, retries: retries + (by === "retry" ? 1 : 0), keyed };
}

/**
 * True for a verb that was asked before a turn which has been taken since: its process was slow, and whoever asked got his answer
 * elsewhere. A cancel holds through pauses and resumes; only a retry is newer than it.
 */
export function isVoid({ verbs = NONE }: Execution, { body, basedOn }: InboxMessage): boolean {
  if (!basedOn) return false;
  if (body.type === "cancel") return basedOn.retries !== verbs.retries;
  return (body.type === "pause" || body.type === "retry" || body.type === "dismiss") && basedOn.turns !== verbs.turns;
}

/** True for a message under a key that was taken in before. */
export function isRepeat({ verbs = NONE }: Execution, { id, request }: InboxMessage): boolean {
  return request !== undefined && verbs.keyed.some((known) => known.id === id);
}

/** Keeps the message's key, so that it counts once although its row is gone. */
export function remember(draft: Execution, { id, request }: InboxMessage): void {
  if (request === undefined) return;
  const verbs = draft.verbs ?? NONE;
  draft.verbs = { ...verbs, keyed: [...verbs.keyed, { id, request }].slice(-MAX_KEYED) };
}

/** A verb comes after those it knows of: clocks of processes differ, what they had read does not. */
export function inOrder(inbox: readonly InboxMessage[]): InboxMessage[] {
  return inbox.toSorted((left, right) => (left.basedOn?.turns ?? 0) - (right.basedOn?.turns ?? 0));
}
