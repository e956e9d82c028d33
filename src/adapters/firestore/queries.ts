import { FieldPath, type CollectionReference, type Firestore, type Query, type WhereFilterOp } from "@google-cloud/firestore";

/** What an index must serve: the collection, the filters and the order of a query, without values. */
export interface QueryShape {
  collection: string;
  /** All collections of that name, over all tenants and executions. */
  group?: boolean;
  where: readonly (readonly [field: string, operator: WhereFilterOp])[];
  orderBy: readonly (readonly [field: string, direction: "asc" | "desc"])[];
}

/** A document's id as a field of a shape. Ranges and order over it need no index, ascending. */
export const ID = "__name__";

const byId = (collection: string, ...where: QueryShape["where"]): QueryShape => ({ collection, where, orderBy: [[ID, "asc"]] });

/** Newest first, over all shards, with any of the filters: one query by the server's merge of 16 ranges. */
const newest = (collection: string, field: string, filters: readonly string[]): QueryShape => ({
  collection,
  where: [["shard", "in"], ...filters.map((filter) => [filter, "=="] as const)],
  orderBy: [
    [field, "desc"],
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
  children: { collection: "checkpoints", where: [["p", "in"]], orderBy: [] },
  taskWrites: byId("writes", [ID, ">="], [ID, "<"]),
} as const satisfies Record<string, QueryShape>;

export const newestShape = newest;

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
