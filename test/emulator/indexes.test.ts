import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LISTS, listShape, QUERIES, type QueryShape } from "../../src/adapters/firestore/queries.ts";

interface DeclaredIndex {
  collectionGroup: string;
  queryScope: string;
  fields: { fieldPath: string; order: string }[];
}
interface FieldOverride {
  collectionGroup: string;
  fieldPath: string;
  ttl?: boolean;
  indexes: { queryScope: string; order: string }[];
}
const declared = JSON.parse(readFileSync("firestore.indexes.json", "utf8")) as {
  indexes: DeclaredIndex[];
  fieldOverrides: FieldOverride[];
};

const RANGES = new Set(["<", "<=", ">", ">="]);

function subsets(fields: readonly string[]): string[][] {
  const [first, ...others] = fields;
  if (first === undefined) return [[]];
  return subsets(others).flatMap((some) => [some, [first, ...some]]);
}

const lists = Object.values(LISTS).flatMap((list) =>
  [...subsets(list.filters), ...list.narrow.map((field) => [field])].map((filters) => listShape(list, filters)),
);
const shapes: QueryShape[] = [...Object.values(QUERIES), ...lists];

/** What Firestore asks for: equal fields in any order, then the ordered ones as they are; names come for free, in the last direction. */
function needed(shape: QueryShape): { equal: Set<string>; ordered: string[] } {
  const equal = new Set(shape.where.filter(([field, operator]) => !RANGES.has(operator) && field !== "__name__").map(([field]) => field));
  const ordered = shape.orderBy.filter(([field]) => field !== "__name__").map(([field, direction]) => `${field} ${direction}`);
  return { equal, ordered: shape.average === undefined ? ordered : [...ordered, `${shape.average} asc`] };
}

function isServed(shape: QueryShape, { indexes, fieldOverrides }: typeof declared): boolean {
  const { equal, ordered } = needed(shape);
  const scope = shape.group ? "COLLECTION_GROUP" : "COLLECTION";
  if (equal.size + ordered.length === 0) return !shape.group;
  if (ordered.length === 0) {
    // Equal filters alone are served by merging the single-field indexes of each.
    return [...equal].every((field) =>
      fieldOverrides.some(
        (override) =>
          override.collectionGroup === shape.collection &&
          override.fieldPath === field &&
          override.indexes.some((index) => index.queryScope === scope),
      ),
    );
  }
  return indexes.some((index) => {
    const fields = index.fields.map((field) => ({
      name: field.fieldPath,
      text: `${field.fieldPath} ${field.order === "ASCENDING" ? "asc" : "desc"}`,
    }));
    const head = fields.slice(0, equal.size);
    const tail = fields.slice(equal.size).map(({ text }) => text);
    return (
      index.collectionGroup === shape.collection &&
      index.queryScope === scope &&
      head.length === equal.size &&
      head.every(({ name }) => equal.has(name)) &&
      JSON.stringify(tail) === JSON.stringify(ordered)
    );
  });
}

const textOf = (shape: QueryShape) =>
  `${shape.group ? "all " : ""}${shape.collection} where ${shape.where.map((part) => part.join(" ")).join(", ")} by ${shape.orderBy.map((part) => part.join(" ")).join(", ")}`;

describe("firestore.indexes.json", () => {
  test.each(shapes.map((shape) => [textOf(shape), shape] as const))("serves: %s", (_text, shape) => {
    expect(isServed(shape, declared)).toBe(true);
  });

  test("declares no composite index that no query needs", () => {
    const idle = declared.indexes.filter((index) => {
      const without = { ...declared, indexes: declared.indexes.filter((other) => other !== index) };
      return shapes.every((shape) => isServed(shape, without));
    });
    expect(idle).toEqual([]);
  });

  test("exempts every other field of every collection: what is not indexed costs no write and makes no hot spot", () => {
    const written = sources().flatMap(({ text }) =>
      [...text.matchAll(/(?:collection|below)\((?:tenant, )?"(\w+)"\)/g)].map(([, name]) => name),
    );
    const exempt = declared.fieldOverrides
      .filter((override) => override.fieldPath === "*" && override.indexes.length === 0)
      .map((override) => override.collectionGroup);
    // These two hold no documents of their own.
    expect(
      [...new Set(written)].filter((collection) => collection !== "tenants" && collection !== "ns" && !exempt.includes(collection ?? "")),
    ).toEqual([]);
  });

  test("has a TTL on what nobody else deletes, and the code writes it as a timestamp", () => {
    const expiring = declared.fieldOverrides.filter(({ ttl }) => ttl === true);
    const files = { deliveries: "webhooks.ts", inbox: "inbox.ts", memories: "memories.ts", parked: "parked.ts", received: "received.ts" };
    expect(expiring.map(({ collectionGroup, fieldPath }) => `${collectionGroup}.${fieldPath}`).toSorted()).toEqual(
      Object.keys(files).map((collection) => `${collection}.expireAt`),
    );
    for (const name of Object.values(files))
      expect(sources().find(({ file }) => file === name)?.text, name).toMatch(/expireAt: Timestamp\./);
  });

  test("is the whole truth: no query is made outside queries.ts", () => {
    const others = sources().filter(({ file }) => file !== "queries.ts");
    expect(
      others
        .filter(({ text }) => /\.(where|orderBy|collectionGroup|startAfter|startAt|endAt|endBefore)\(/.test(text))
        .map(({ file }) => file),
    ).toEqual([]);
  });
});

function sources(): { file: string; text: string }[] {
  const folder = "src/adapters/firestore";
  return readdirSync(folder).map((file) => ({ file, text: readFileSync(`${folder}/${file}`, "utf8") }));
}
