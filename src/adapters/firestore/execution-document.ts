import { Timestamp, type DocumentReference, type DocumentSnapshot } from "@google-cloud/firestore";
import { deadLetterState } from "../../definition/dead-letter.ts";
import { TERMINAL_STATUSES, type Execution } from "../../definition/execution.ts";
import { SignalboxError } from "../../errors.ts";
import type { ExecutionHandle } from "../../ports/store.ts";
import type { Call } from "./caller.ts";
import { shardOf } from "./document-id.ts";
import type { DocumentWrite } from "./document-write.ts";
import { packBody, readBody } from "./document-body.ts";

/**
 * Size from which the parts of a record that never change are kept in a document of their own (`start/record`), instead of being
 * written again with every superstep. Part of the stored format: it decides where a reader looks.
 */
const START_APART_BYTES = 32 * 1024;

type Start = Pick<Execution, "input" | "initialVariables" | "trigger">;

/** The documents of a new or changed record; `start` only where the record is new and large. */
export interface ExecutionDocuments {
  data: Record<string, unknown>;
  bytes: number;
  start: Extract<DocumentWrite, { kind: "create" | "set" }> | undefined;
}

/** Fields that queries look at lie beside the packed record; `d` alone is the truth. */
export async function executionDocuments(ref: DocumentReference, execution: Execution): Promise<ExecutionDocuments> {
  const { input, initialVariables, trigger, ...rest } = execution;
  const start: Start = { input, initialVariables, trigger };
  // Strings of the three parts hold nearly all their bytes; a look at the JSON costs what writing it costs anyway.
  const startText = JSON.stringify(start);
  const isApart = startText.length >= START_APART_BYTES;
  const { body, bytes } = await packBody(isApart ? rest : { ...rest, ...start });
  return {
    data: { ...indexed(execution), apart: isApart, ...body },
    bytes,
    start: isApart ? await startDocument(ref, start) : undefined,
  };
}

async function startDocument(ref: DocumentReference, start: Start): Promise<ExecutionDocuments["start"]> {
  const { body, bytes } = await packBody(start);
  return { kind: "set", ref: ref.collection("start").doc("record"), data: { ...body }, bytes };
}

function indexed(execution: Execution): Record<string, unknown> {
  const { id, tenant, workflowId, status, createdAt, wakeAt, owner, lastSeq, expireAt, parent, relayAt, priority } = execution;
  return {
    id,
    tenant,
    shard: shardOf(id),
    workflowId,
    status,
    createdAt,
    wakeAt,
    priority,
    owner,
    lastSeq,
    dead: deadLetterState(execution),
    durationMs: durationMs(execution),
    ...(parent && { parentId: parent.executionId }),
    expireAt: expireAt === null ? null : Timestamp.fromMillis(expireAt),
    ...(relayAt !== undefined && { relayAt }),
  };
}

function durationMs({ createdAt, startedAt, endedAt }: Execution): number | null {
  return endedAt === null ? null : Date.parse(endedAt) - Date.parse(startedAt ?? createdAt);
}

/** The record in a document; undefined where there is none, or where it is being deleted. */
export async function readExecution(snapshot: DocumentSnapshot, call: Call): Promise<ExecutionHandle | undefined> {
  if (!snapshot.exists || !snapshot.updateTime || snapshot.get("gone") === true) return undefined;
  const record = (await readBody(snapshot)) as Execution; // what `executionDocuments` packed, but for what lies apart
  if (snapshot.get("apart") !== true) return { execution: record, token: tokenOf(snapshot.updateTime) };
  const apart = await call(async () => await snapshot.ref.collection("start").doc("record").get());
  return { execution: { ...record, ...((await readBody(apart)) as Start) }, token: tokenOf(snapshot.updateTime) };
}

/** Whether retention has ended for a record that may still be there: TTL and our own deletion come some time later. */
export function isExpired({ status, expireAt }: Execution, now: number): boolean {
  return expireAt !== null && expireAt <= now && TERMINAL_STATUSES.has(status);
}

/** An update time as the opaque token of a handle: `seconds.nanoseconds`. */
export function tokenOf(time: Timestamp): string {
  return `${time.seconds}.${String(time.nanoseconds).padStart(9, "0")}`;
}

export function timeOf(token: string): Timestamp {
  const [seconds, nanoseconds] = token.split(".").map(Number);
  if (!Number.isSafeInteger(seconds) || !Number.isSafeInteger(nanoseconds)) {
    throw new SignalboxError("LEASE_LOST", "The execution's token is not one of this store's.");
  }
  return new Timestamp(seconds ?? 0, nanoseconds ?? 0);
}
