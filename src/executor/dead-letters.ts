import type { DeadLetterFilter } from "../definition/dead-letter.ts";
import type { Execution } from "../definition/execution.ts";
import { toSignalboxError } from "../errors.ts";
import type { Store } from "../ports/store.ts";

const PAGE = 100;
/** Executions worked on at once. */
const AT_ONCE = 10;

export interface BulkOutcome {
  /** Executions the filter found, at most `limit`. */
  matched: string[];
  /** Those the verb was sent to. */
  done: string[];
  refused: { executionId: string; code: string; message: string }[];
  /** True where the filter finds more than `limit`. */
  hasMore: boolean;
}

interface BulkOptions {
  store: Store;
  tenant: string;
  filter: DeadLetterFilter;
  limit: number;
  /** True: only tells what it would be done to. */
  dryRun: boolean;
  act(execution: Execution): Promise<unknown>;
}

/** Does something to every failed execution a filter finds. They are found first: what is done to one takes it off the list. */
export async function forDeadLetters({ store, tenant, filter, limit, dryRun, act }: BulkOptions): Promise<BulkOutcome> {
  const found: Execution[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.executions.deadLetters(tenant, { ...filter, isDismissed: false, pageSize: PAGE, pageToken });
    found.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && found.length <= limit);
  const outcome: BulkOutcome = {
    matched: found.slice(0, limit).map(({ id }) => id),
    done: [],
    refused: [],
    hasMore: found.length > limit || pageToken !== undefined,
  };
  if (dryRun) return outcome;
  for (let start = 0; start < outcome.matched.length; start += AT_ONCE) {
    await Promise.all(found.slice(start, Math.min(start + AT_ONCE, limit)).map((execution) => one(execution)));
  }
  return outcome;

  async function one(execution: Execution): Promise<void> {
    try {
      await act(execution);
      outcome.done.push(execution.id);
    } catch (thrown) {
      const { code, message } = toSignalboxError(thrown);
      outcome.refused.push({ executionId: execution.id, code, message });
    }
  }
}
