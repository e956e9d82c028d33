/**
 * Where schedules stand, so that no tick is lost or counted twice whichever process looks. `now` is epoch milliseconds by the clock the
 * processes of this store share (Firestore's own; the machine's for SQLite): a process whose clock is wrong fires nothing early.
 */
export interface ScheduleStore {
  get(tenant: string, workflowId: string, triggerId: string): Promise<{ now: number; cursor: ScheduleCursor | undefined }>;
  /** Writes the cursor where the stored one has this revision (null: none is there); false where it has not. */
  put(cursor: ScheduleCursor, basedOnRevision: number | null): Promise<boolean>;
  /** Removes the cursor where it has this revision; false where it has not. */
  remove(tenant: string, workflowId: string, triggerId: string, revision: number): Promise<boolean>;
  /** Cursors with `dueAt <= before`, earliest first, over all tenants. */
  due(before: number, limit: number): Promise<{ now: number; cursors: ScheduleCursor[] }>;
}

/** The place of one schedule trigger in time. Times are epoch milliseconds. */
export interface ScheduleCursor {
  tenant: string;
  workflowId: string;
  triggerId: string;
  /** Grows with every write. */
  revision: number;
  /** When somebody should look at it. */
  dueAt: number;
  /** Cron expression and time zone it was made for. */
  signature: string;
  /** Ticks up to this instant are decided. */
  after: number;
  /** Ticks whose execution is to be started now; starting one again does no harm. */
  starting: number[];
  /** Ticks that wait for the execution before them to end. */
  waiting: number[];
  /** The execution of the newest tick that was decided to start. */
  last: string | null;
}
