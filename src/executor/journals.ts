import type { StepPlace } from "../compiler/host.ts";
import { toSlot } from "../compiler/scope.ts";
import type { Execution } from "../definition/execution.ts";
import type { Json } from "../definition/json.ts";
import type { Journal } from "../steps/step.ts";
import type { Committer } from "./committer.ts";
import type { SessionReads } from "./session-reads.ts";

/** Entries larger than this are stored once and referenced: every commit writes the record again. */
const INLINE_BYTES = 1_024;

/** What steps noted on their way through a visit, by path: part of the record, so that the next attempt knows it. */
export interface Journals {
  of(place: StepPlace): Journal;
  /** Drops the journals of visits that are over. */
  forget(paths: readonly string[]): void;
}

interface JournalsOptions {
  draft: Execution;
  committer: Committer;
  reads: SessionReads;
  flush(): Promise<void>;
}

export function createJournals({ draft, committer, reads, flush }: JournalsOptions): Journals {
  function entriesOf({ path, visit }: StepPlace) {
    const journal = draft.journals?.[path];
    return journal?.visit === visit ? journal.entries : [];
  }

  return {
    of: (place) => ({
      async read() {
        const entries = entriesOf(place);
        const loaded = await reads.values(entries.flatMap((entry) => ("r" in entry ? [entry.r] : [])));
        return entries.map((entry): Json => ("v" in entry ? entry.v : (loaded.get(entry.r) ?? null)));
      },
      async append(entry) {
        const large: { ref: string; value: Json }[] = [];
        const slot = toSlot(entry, large, `A note of "${place.stepId}"`, INLINE_BYTES);
        reads.keep(large);
        committer.pending.values.push(...large);
        // A new object: the commit under way has its own copy of the record, one level deep.
        draft.journals = { ...draft.journals, [place.path]: { visit: place.visit, entries: [...entriesOf(place), slot] } };
        committer.touch();
        await flush();
      },
    }),
    forget(paths) {
      const { journals } = draft;
      if (!journals || !paths.some((path) => Object.hasOwn(journals, path))) return;
      draft.journals = Object.fromEntries(Object.entries(journals).filter(([path]) => !paths.includes(path)));
    },
  };
}
