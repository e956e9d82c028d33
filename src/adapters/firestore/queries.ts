import { FieldPath, type CollectionReference, type Firestore, type Query, type WhereFilterOp } from "@google-cloud/firestore";

/** What an index must serve: the collection, the filters and the order of a query, without values. */
export interface QueryShape {
  collection: string;
  /** All collections of that name, over all tenants and executions. */
  group?: boolean;
  where: readonly (readonly [field: string, operator: WhereFilterOp])[];
  orderBy: readonly (readonly [field: string, direction: "asc" | "desc"])[];
  /** Field that is averaged over what is found. */
  average?: string;
}

/** A document's id as a field of a shape. Ranges and order over it need no index, ascending. */
export const ID = "__name__";

/** Most values an `in` takes. */
export const LARGEST_IN = 30;

const byId = (collection: string, ...where: QueryShape["where"]): QueryShape => ({ collection, where, orderBy: [[ID, "asc"]] });

/** Newest first by a time field, with any of the filters, over all shards: one query, merged by the server from 16 index ranges. */
const newest = (collection: string, time: string, filters: readonly string[]): QueryShape => ({
  collection,
  where: [["shard", "in"], ...filters.map((filter) => [filter, "=="] as const)],
  orderBy: [
    [time, "desc"],
    [ID, "desc"],
  ],
});

/**
 * Every query of the product: code outside this file cannot make another. `firestore.indexes.json` must serve all of them, which a
 * test holds, because the emulator runs queries without their indexes.
 */
export const QUERIES = {
  checkpoints: byId("checkpoints"),
  checkpointsAfter: byId("checkpoints", [ID, ">"]),
  childCheckpoints: { collection: "checkpoints", where: [["p", "in"]], orderBy: [] },
  taskWrites: byId("writes", [ID, ">="], [ID, "<"]),
  executionsById: { collection: "executions", group: true, where: [["id", "=="]], orderBy: [] },
  executionsDue: {
    collection: "executions",
    group: true,
    where: [
      ["shard", "in"],
      ["wakeAt", "<="],
    ],
    orderBy: [["wakeAt", "asc"]],
  },
  executionsToRelay: {
    collection: "executions",
    group: true,
    where: [
      ["shard", "in"],
      ["relayAt", "<="],
    ],
    orderBy: [["relayAt", "asc"]],
  },
  executionsOfStatusDue: {
    collection: "executions",
    group: true,
    where: [
      ["shard", "in"],
      ["status", "=="],
      ["wakeAt", "<="],
    ],
    orderBy: [["wakeAt", "asc"]],
  },
  executionsOfOwner: { collection: "executions", group: true, where: [["owner", "=="]], orderBy: [] },
  executionsExpired: {
    collection: "executions",
    group: true,
    where: [
      ["shard", "in"],
      ["expireAt", "<="],
    ],
    orderBy: [["expireAt", "asc"]],
  },
  executionsCounted: {
    collection: "executions",
    where: [
      ["workflowId", "=="],
      ["status", "=="],
    ],
    orderBy: [],
  },
  executionsTimed: {
    collection: "executions",
    where: [
      ["workflowId", "=="],
      ["status", "=="],
    ],
    orderBy: [],
    average: "durationMs",
  },
  events: byId("events", [ID, ">"]),
  mailOf: { collection: "inbox", where: [], orderBy: [] },
  mailWaiting: {
    collection: "inbox",
    group: true,
    where: [
      ["shard", "in"],
      ["atMs", "<"],
    ],
    orderBy: [["atMs", "asc"]],
  },
  mailSince: {
    collection: "inbox",
    group: true,
    where: [
      ["shard", "in"],
      ["sentAt", ">="],
    ],
    orderBy: [["sentAt", "asc"]],
  },
  waitsOnTopic: {
    collection: "waits",
    where: [
      ["topic", "=="],
      ["status", "=="],
      [ID, ">"],
    ],
    orderBy: [[ID, "asc"]],
  },
  receivedOfType: {
    collection: "received",
    where: [
      ["shard", "in"],
      ["type", "=="],
      ["receivedAt", ">="],
    ],
    orderBy: [
      ["receivedAt", "asc"],
      [ID, "asc"],
    ],
  },
  receivedOfSubject: {
    collection: "received",
    where: [
      ["shard", "in"],
      ["subjectTopic", "=="],
      ["receivedAt", ">="],
    ],
    orderBy: [
      ["receivedAt", "asc"],
      [ID, "asc"],
    ],
  },
  waitsOf: { collection: "waits", where: [["executionId", "in"]], orderBy: [] },
  deliveriesDue: {
    collection: "deliveries",
    group: true,
    where: [
      ["shard", "in"],
      ["nextAt", "<="],
    ],
    orderBy: [["nextAt", "asc"]],
  },
  schedulesDue: {
    collection: "schedules",
    group: true,
    where: [
      ["shard", "in"],
      ["dueAt", "<="],
    ],
    orderBy: [["dueAt", "asc"]],
  },
  permitsOf: byId("permits"),
  lineOf: byId("line"),
  decisionsOf: { collection: "decisions", where: [["executionId", "in"]], orderBy: [] },
} as const satisfies Record<string, QueryShape>;

/**
 * Lists with optional filters: by any subset of `filters`, or by one of `narrow` alone, the first that is given, which leaves so few
 * documents that the other filters are looked at here and need no index.
 */
export const LISTS = {
  executions: { collection: "executions", time: "createdAt", filters: ["workflowId", "status"], narrow: ["parentId"] },
  deadLetters: { collection: "executions", time: "createdAt", filters: ["dead"], narrow: [] },
  waits: { collection: "waits", time: "createdAt", filters: ["kind", "status", "workflowId"], narrow: ["executionId"] },
  decisions: { collection: "decisions", time: "at", filters: ["workflowId", "stepId"], narrow: ["executionId"] },
  workflows: { collection: "workflows", time: "createdAt", filters: ["status"], narrow: [] },
  received: { collection: "received", time: "receivedAt", filters: ["source", "outcome"], narrow: ["eventId", "type"] },
  parked: { collection: "parked", time: "parkedAt", filters: ["status"], narrow: ["code"] },
  webhooks: { collection: "webhooks", time: "createdAt", filters: [], narrow: [] },
  deliveries: { collection: "deliveries", time: "createdAt", filters: ["endpointId", "status"], narrow: [] },
  eventTypes: { collection: "eventTypes", time: "createdAt", filters: [], narrow: [] },
} as const satisfies Record<string, { collection: string; time: string; filters: readonly string[]; narrow: readonly string[] }>;

export type ListShape = (typeof LISTS)[keyof typeof LISTS];

/** The shape of a list with the filters that are given. */
export function listShape({ collection, time }: ListShape, filters: readonly string[]): QueryShape {
  return newest(collection, time, filters);
}

interface QueryOptions {
  /** One for each filter of the shape. */
  values: readonly unknown[];
  limit?: number | undefined;
  /** One for each order field of the shape: the position to go on after. */
  startAfter?: readonly unknown[] | undefined;
}

/** The query of a shape on a collection, or over all of them for a shape of a group. */
export function queryOf(shape: QueryShape, from: Firestore | CollectionReference, { values, limit, startAfter }: QueryOptions): Query {
  let query: Query = "collectionGroup" in from ? from.collectionGroup(shape.collection) : from;
  for (const [n, [field, operator]] of shape.where.entries()) query = query.where(fieldOf(field), operator, values[n]);
  for (const [field, direction] of shape.orderBy) query = query.orderBy(fieldOf(field), direction);
  if (startAfter) query = query.startAfter(...startAfter);
  return limit === undefined ? query : query.limit(limit);
}

function fieldOf(name: string): string | FieldPath {
  return name === ID ? FieldPath.documentId() : name;
}
