import { SignalboxError } from "../../errors.ts";
import { openForReading, openForWriting, type Database } from "./database.ts";
import { toStoreError } from "./sqlite-error.ts";
import { startWriterThread } from "./writer-thread.ts";
import { createWriter, inProcessRunner, type Writer } from "./writer.ts";

/** One handle on a database: reads on this thread, writes through the one writer. */
export interface Connection {
  readonly path: string;
  /** Sees everything acknowledged before. UNAVAILABLE once closed. */
  read<T>(work: (database: Database) => T): Promise<T>;
  /** The same before the call returns: for what must be packed up as it is at this moment. */
  readNow<T>(work: (database: Database) => T): T;
  readonly write: Writer["write"];
  /** Whether to look for what other processes write. */
  watchOthers(isOn: boolean): void;
  close(): Promise<void>;
}

export interface ConnectionOptions {
  /** Path of a file, made where it is missing; `:memory:` for data that lives as long as the handle. */
  path: string;
  /** Called when another process has written, while watched. */
  onForeignWrite?: () => void;
}

/** Opens a database. UNAVAILABLE, in one line that names the path, where it cannot be opened, read or written. */
export async function connect({ path, onForeignWrite = () => {} }: ConnectionOptions): Promise<Connection> {
  if (path === ":memory:") {
    const database = openForWriting(path);
    return connection({ path, reader: database, writer: createWriter(inProcessRunner(database)), watchOthers: () => {} });
  }
  const thread = await startWriterThread(path, onForeignWrite);
  try {
    return connection({ path, reader: openForReading(path), writer: createWriter(thread), watchOthers: thread.watchOthers });
  } catch (error) {
    await thread.close();
    throw error;
  }
}

interface Parts {
  path: string;
  reader: Database;
  writer: Writer;
  watchOthers(isOn: boolean): void;
}

function connection({ path, reader, writer, watchOthers }: Parts): Connection {
  let isClosed = false;

  function readNow<T>(work: (database: Database) => T): T {
    if (isClosed) throw new SignalboxError("UNAVAILABLE", "The store is closed.");
    try {
      return work(reader);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  return {
    path,
    readNow,
    // The promise makes a refusal a rejection, never a throw.
    read: (work) => new Promise((resolve) => resolve(readNow(work))),
    write: writer.write,
    watchOthers(isOn) {
      if (!isClosed) watchOthers(isOn);
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await writer.drain();
      // The writer last: the last connection of all puts the log back into the file, and a reader cannot.
      reader.close();
      await writer.close();
    },
  };
}
