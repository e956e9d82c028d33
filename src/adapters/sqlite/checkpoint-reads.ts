import type { SQLInputValue } from "node:sqlite";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  maxChannelVersion,
  TASKS,
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
} from "@langchain/langgraph-checkpoint";
import { SignalboxError } from "../../errors.ts";
import { decode, encode } from "../codec.ts";
import { checkpointOf, taskWritesOf } from "./checkpoint-format.ts";
import type { ThreadKey } from "./checkpoint-operations.ts";
import type { Connection } from "./connection.ts";
import type { Database } from "./database.ts";
import { fromKey } from "./key.ts";

/** The format in which sends moved from the parent's writes into the checkpoint. */
const SENDS_INSIDE_SINCE = 4;
/** Rows of a list read at once; between two reads others may write. */
const LIST_ROWS = 50;

interface Row {
  number: number;
  tenant: string;
  thread: string;
  ns: string;
  id: string;
  parentId: string | null;
  doc: string;
  metadata: string;
}

const ROWS = /* sql */ `SELECT t.number, t.tenant, t.id thread, c.ns, c.id, c.parent_id "parentId", c.doc, c.metadata
  FROM threads t JOIN checkpoints c ON c.thread = t.number`;
const OF_NS = `${ROWS} WHERE t.id = ? AND t.tenant = ? AND c.ns = ?`;
const LATEST = `${OF_NS} ORDER BY c.id DESC LIMIT 1`;
const BY_ID = `${OF_NS} AND c.id = ?`;
const WRITES = 'SELECT task_id "taskId", doc FROM checkpoint_writes WHERE thread = ? AND ns = ? AND checkpoint_id = ? ORDER BY task_id';

/** Whose thread this is: the tenant named, else the only one that has it. CONFLICT where several have: none of them may be guessed. */
export function tenantOf(database: Database, thread: string, named: string | undefined): string {
  if (named !== undefined) return named;
  const [first, second] = database.all<{ tenant: string }>("SELECT tenant FROM threads WHERE id = ? LIMIT 2", [thread]);
  if (second)
    throw new SignalboxError("CONFLICT", `The thread "${thread}" exists in several tenants; name one as "tenant" in "configurable".`);
  return first ? fromKey(first.tenant) : "";
}

export interface TupleQuery {
  key: ThreadKey;
  /** Whether configs that are returned name the tenant. */
  namesTenant: boolean;
  ns: string;
  /** The newest where it is empty. */
  id: string;
}

export function readTuple(database: Database, { key: { tenant, thread }, namesTenant, ns, id }: TupleQuery): CheckpointTuple | undefined {
  const row = id === "" ? database.get<Row>(LATEST, [thread, tenant, ns]) : database.get<Row>(BY_ID, [thread, tenant, ns, id]);
  return row && tupleOf(database, row, namesTenant);
}

export interface ListQuery {
  thread: string | undefined;
  tenant: string | undefined;
  ns: string | undefined;
  id: string | undefined;
  before: string | undefined;
  filter: Record<string, unknown> | undefined;
  limit: number | undefined;
}

/** Newest first; without a thread, over all threads of the tenant. */
export async function* listCheckpoints({ read }: Connection, query: ListQuery): AsyncGenerator<CheckpointTuple> {
  const { thread, filter = {} } = query;
  const namesTenant = query.tenant !== undefined;
  const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
  let left = query.limit ?? Infinity;
  let last: Row | undefined;
  while (left > 0) {
    const rows = await read((database) => {
      const tenant = thread === undefined ? (query.tenant ?? "") : tenantOf(database, thread, query.tenant);
      return listRows(database, query, tenant, last);
    });
    for (const row of rows) {
      const metadata = decode(row.metadata) as Record<string, unknown>; // CheckpointMetadata, by any of its keys
      if (!wanted.every(([key, value]) => encode(metadata[key]) === encode(value))) continue;
      if (left <= 0) return;
      left -= 1;
      yield await read((database) => tupleOf(database, row, namesTenant));
    }
    if (rows.length < LIST_ROWS) return;
    last = rows.at(-1);
  }
}

function listRows(database: Database, { thread, ns, id, before }: ListQuery, tenant: string, last: Row | undefined): Row[] {
  const conditions = ["t.tenant = ?"];
  const parameters: SQLInputValue[] = [tenant];
  const add = (condition: string, ...values: SQLInputValue[]): void => {
    conditions.push(condition);
    parameters.push(...values);
  };
  if (thread !== undefined) add("t.id = ?", thread);
  if (ns !== undefined) add("c.ns = ?", ns);
  if (id !== undefined) add("c.id = ?", id);
  if (before !== undefined) add("c.id < ?", before);
  if (last) add("(c.id, t.id, c.ns) < (?, ?, ?)", fromKey(last.id), fromKey(last.thread), fromKey(last.ns));
  return database.all<Row>(`${ROWS} WHERE ${conditions.join(" AND ")} ORDER BY c.id DESC, t.id DESC, c.ns DESC LIMIT ?`, [
    ...parameters,
    LIST_ROWS,
  ]);
}

function tupleOf(database: Database, row: Row, namesTenant: boolean): CheckpointTuple {
  const [tenant, thread, ns, id] = [row.tenant, row.thread, row.ns, row.id].map(fromKey) as [string, string, string, string]; // as many as went in
  const parentId = row.parentId === null ? undefined : fromKey(row.parentId);
  const configOf = (checkpointId: string): RunnableConfig => ({
    configurable: { ...(namesTenant && { tenant }), thread_id: thread, checkpoint_ns: ns, checkpoint_id: checkpointId },
  });
  const blob = (ref: string): string => readBlob(database, row, ref);
  const writesOf = (checkpointId: string): CheckpointPendingWrite[] =>
    database
      .all<{ taskId: string; doc: string }>(WRITES, [row.number, ns, checkpointId])
      .flatMap(({ taskId, doc }) => taskWritesOf(fromKey(taskId), doc, blob));

  const checkpoint = checkpointOf(row.doc, blob);
  if (checkpoint.v < SENDS_INSIDE_SINCE && parentId !== undefined) takeSends(checkpoint, writesOf(parentId));
  return {
    config: configOf(id),
    checkpoint,
    metadata: decode(row.metadata) as CheckpointMetadata, // written by `checkpointRow`
    pendingWrites: writesOf(id),
    ...(parentId !== undefined && { parentConfig: configOf(parentId) }),
  };
}

/** Older LangGraph kept sends among the parent's writes; the present one looks for them in a channel. */
function takeSends(checkpoint: Checkpoint, parentWrites: CheckpointPendingWrite[]): void {
  checkpoint.channel_values[TASKS] = parentWrites.filter(([, channel]) => channel === TASKS).map(([, , send]) => send);
  const versions = Object.values(checkpoint.channel_versions);
  checkpoint.channel_versions[TASKS] = versions.length > 0 ? maxChannelVersion(...versions) : 1;
}

function readBlob(database: Database, { number, thread }: Row, ref: string): string {
  const row = database.get<{ value: string }>("SELECT value FROM checkpoint_blobs WHERE thread = ? AND ref = ?", [number, ref]);
  if (!row) throw new SignalboxError("INTERNAL", `The stored value ${ref} of the thread "${thread}" is missing.`);
  return row.value;
}
