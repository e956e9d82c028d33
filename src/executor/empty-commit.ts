import type { ExecutionCommit } from "../ports/store.ts";

/** What a commit writes beside the record and its events: nothing yet. A new list each, because they are filled. */
export function emptyParts(): Omit<ExecutionCommit, "guard" | "execution" | "events"> {
  return {
    checkpoints: [],
    writes: [],
    decisions: [],
    openWaits: [],
    closeWaits: [],
    remindedWaits: [],
    consumed: [],
    values: [],
    sends: [],
    starts: [],
    memories: [],
  };
}
