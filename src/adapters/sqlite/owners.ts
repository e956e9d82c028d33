import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SignalboxError } from "../../errors.ts";
import type { Database } from "./database.ts";
import { isBusy, unavailable, untilFree } from "./sqlite-error.ts";

/** Proof of life of those who claim executions: each holds a lock that the kernel gives back when its process ends, however it ends. */
export interface Owners {
  /** Owners of live leases that hold their lock no more. Takes away the lock files of those without a lease. */
  dead(database: Database, now: number): string[];
  /** Gives the own lock back. */
  release(database: Database, now: number): void;
}

/** Nobody else can see this data, so nobody else can die. */
export const noOwners: Owners = { dead: () => [], release: () => {} };

// A probing process holds a lock for some microseconds; whoever keeps it longer lives.
const PROBE_MS = 500;

/** Takes the lock of `ownerId` beside the database. UNAVAILABLE where a living process has it already. */
export function holdOwner(path: string, ownerId: string): Owners {
  const prefix = `${basename(path)}.owner-`;
  const fileOf = (owner: string): string => join(dirname(path), `${prefix}${encodeURIComponent(owner)}`);
  const lock = takeLock(fileOf(ownerId), ownerId);

  const liveOwners = (database: Database, now: number): string[] =>
    database
      .all<{ owner: string }>("SELECT DISTINCT owner FROM executions WHERE owner IS NOT NULL AND lease_until > ?", [now])
      .map(({ owner }) => owner);

  return {
    dead(database, now) {
      const live = liveOwners(database, now).filter((owner) => owner !== ownerId);
      for (const name of readdirSync(dirname(path))) {
        if (!name.startsWith(prefix)) continue;
        const owner = decodeURIComponent(name.slice(prefix.length));
        if (owner !== ownerId && !live.includes(owner) && isGone(fileOf(owner))) rmSync(fileOf(owner), { force: true });
      }
      return live.filter((owner) => isGone(fileOf(owner)));
    },
    release(database, now) {
      // With leases left over, the free lock is what tells others that they may go on with them.
      if (!liveOwners(database, now).includes(ownerId)) rmSync(fileOf(ownerId), { force: true });
      lock.close();
    },
  };
}

function takeLock(file: string, ownerId: string): DatabaseSync {
  for (;;) {
    const lock = lockNow(file, ownerId);
    // Somebody may have cleared the file away between opening and locking it.
    if (existsSync(file)) return lock;
    lock.close();
  }
}

function lockNow(file: string, ownerId: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    const opened = (lock = new DatabaseSync(file, { timeout: 0 }));
    // No journal file: one left behind by a kill would be in the way.
    untilFree(() => opened.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE"), PROBE_MS);
    return opened;
  } catch (error) {
    lock?.close();
    if (!isBusy(error)) throw unavailable(`The lock ${file} cannot be taken`, error);
    throw new SignalboxError("UNAVAILABLE", `The owner id "${ownerId}" is in use by another process (${file}).`);
  }
}

/** True where the file is there and nobody holds its lock. Without a file nothing is proven. */
function isGone(file: string): boolean {
  if (!existsSync(file)) return false;
  let probe: DatabaseSync | undefined;
  try {
    probe = new DatabaseSync(file, { readOnly: true, timeout: 0 });
    probe.prepare("SELECT count(*) FROM sqlite_schema").get();
    return true;
  } catch {
    // Busy: it lives. Anything else proves nothing.
    return false;
  } finally {
    probe?.close();
  }
}
