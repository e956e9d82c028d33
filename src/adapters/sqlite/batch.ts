import type { ErrorCode } from "../../errors.ts";
import { SignalboxError } from "../../errors.ts";
import type { Database } from "./database.ts";
import { OPERATIONS, type OperationName } from "./operations.ts";
import { toStoreError, untilFree } from "./sqlite-error.ts";

/** A write as it travels to the writer: the operation's name and its argument. */
export type Write = readonly [name: OperationName, argument: unknown];

/** What became of it: `[value]`, or the refusal in parts, which survive the way between threads. */
export type Outcome =
  | readonly [value: unknown]
  | readonly [value: undefined, code: ErrorCode, message: string, details: Record<string, unknown>];

/**
 * Runs writes as one transaction, one fsync for all of them. Each has its own savepoint: a refused one leaves no trace and spoils no
 * other. Where the transaction fails as a whole, every write has that outcome.
 */
export function runBatch(database: Database, writes: readonly Write[]): Outcome[] {
  try {
    untilFree(() => database.run("BEGIN IMMEDIATE"));
    const outcomes = writes.map((write) => runOne(database, write));
    database.run("COMMIT");
    return outcomes;
  } catch (error) {
    if (database.isInTransaction) database.run("ROLLBACK");
    const refusal = refused(error);
    return writes.map(() => refusal);
  }
}

function runOne(database: Database, [name, argument]: Write): Outcome {
  database.run("SAVEPOINT write");
  try {
    const operation = OPERATIONS[name] as (database: Database, argument: unknown) => unknown; // the sender's types tie both together
    const value = operation(database, argument);
    database.run("RELEASE write");
    return [value];
  } catch (error) {
    // A full disk rolls back the whole transaction by itself: then there is nothing to go back to, and nothing to commit.
    if (!database.isInTransaction) throw error;
    database.run("ROLLBACK TO write");
    database.run("RELEASE write");
    return refused(error);
  }
}

function refused(error: unknown): Outcome {
  const { code, message, details, cause } = toStoreError(error);
  return [undefined, code, message, cause instanceof Error ? { ...details, reason: cause.message } : details];
}

/** The value of an outcome; throws where it is a refusal. */
export function valueOf(outcome: Outcome): unknown {
  if (outcome.length === 1) return outcome[0];
  const [, code, message, { reason, ...details }] = outcome;
  throw new SignalboxError(code, message, {
    details,
    ...(reason === undefined ? {} : { cause: new Error(typeof reason === "string" ? reason : "unknown") }),
  });
}
