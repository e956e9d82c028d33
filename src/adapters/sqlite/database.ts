import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { SignalboxError } from "../../errors.ts";
import { toKey } from "./key.ts";
import { ADDITIONS } from "./additions.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "./schema.ts";
import { unavailable, untilFree } from "./sqlite-error.ts";

type Parameters = readonly SQLInputValue[];

/** A connection whose statements are prepared once. */
export interface Database {
  run(sql: string, parameters?: Parameters): { changes: number; lastInsertRowid: number };
  /** The first row. Its type is what the statement selects; only this adapter writes the tables. */
  get<Row>(sql: string, parameters?: Parameters): Row | undefined;
  all<Row>(sql: string, parameters?: Parameters): Row[];
  readonly isInTransaction: boolean;
  close(): void;
}

/** 16 MB of log before it is copied back: at the default of 4 MB that copy, with its two fsyncs, came every 0.4 s under load. */
const CHECKPOINT_PAGES = 4_000;

/** Opens the file for writing, created and migrated where needed. UNAVAILABLE, naming the path, where that cannot be. */
export function openForWriting(path: string): Database {
  return opening(path, () => {
    if (path !== ":memory:") makeFolder(dirname(path));
    const connection = new DatabaseSync(path, { timeout: 0 });
    try {
      untilFree(() => migrate(connection, path));
      for (const addition of ADDITIONS) untilFree(() => connection.exec(addition));
      // FULL: a commit is on the disk when it is acknowledged, and stays there when the power fails.
      untilFree(() =>
        connection.exec(
          `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -16000`,
        ),
      );
      // SQLite opens a file it may not write for reading, and says so at the first write only: this is one that changes nothing.
      untilFree(() => connection.exec("BEGIN IMMEDIATE"));
      connection.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; ROLLBACK`);
      return database(connection);
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

/** Opens a file that somebody has open for writing. */
export function openForReading(path: string): Database {
  return opening(path, () => database(new DatabaseSync(path, { readOnly: true, timeout: 5_000 })));
}

function opening(path: string, open: () => Database): Database {
  try {
    return open();
  } catch (error) {
    throw error instanceof SignalboxError ? error : unavailable(`The store at ${path} cannot be opened`, error);
  }
}

function migrate(connection: DatabaseSync, path: string): void {
  if (versionOf(connection, path) === SCHEMA_VERSION) return;
  connection.exec("BEGIN IMMEDIATE");
  try {
    // Read again: another process may have migrated while this one waited.
    const version = versionOf(connection, path);
    if (version === 0 && connection.prepare("SELECT 1 FROM sqlite_schema").get()) {
      throw new SignalboxError("UNAVAILABLE", `The file ${path} is a database of another program.`);
    }
    for (const migration of MIGRATIONS.slice(version)) connection.exec(migration);
    connection.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  } catch (error) {
    connection.exec("ROLLBACK");
    throw error;
  }
}

function versionOf(connection: DatabaseSync, path: string): number {
  const version = Number(connection.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version <= SCHEMA_VERSION) return version;
  throw new SignalboxError(
    "UNAVAILABLE",
    `The store at ${path} was written by a newer version (schema ${version}, this one knows ${SCHEMA_VERSION}).`,
  );
}

function database(connection: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (!statement) statements.set(sql, (statement = connection.prepare(sql)));
    return statement;
  };
  return {
    run(sql, parameters = []) {
      const { changes, lastInsertRowid } = prepared(sql).run(...bindable(parameters));
      return { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
    },
    // The row's type is the caller's word, true because the tables are STRICT and the statement stands beside it.
    get: <Row>(sql: string, parameters: Parameters = []) => prepared(sql).get(...bindable(parameters)) as Row | undefined,
    all: <Row>(sql: string, parameters: Parameters = []) => prepared(sql).all(...bindable(parameters)) as Row[],
    get isInTransaction() {
      return connection.isTransaction;
    },
    close() {
      if (connection.isOpen) connection.close();
    },
  };
}

function bindable(parameters: Parameters): Parameters {
  return parameters.some((parameter) => typeof parameter === "string" && toKey(parameter) !== parameter)
    ? parameters.map((parameter) => (typeof parameter === "string" ? toKey(parameter) : parameter))
    : parameters;
}

/** One level at a time: a recursive mkdir below a file system that takes no folders (/proc) never comes back. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}
