import { expect, test } from "vitest";
import { compileInputSchema, inputSchemaIssues } from "../../src/definition/input-schema.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import { cpuTimeOf } from "./cpu-time.ts";

const order: JsonObject = {
  type: "object",
  required: ["id"],
  additionalProperties: false,
  properties: {
    id: { type: "string", pattern: "^[A-Z]{2}-[0-9]+$" },
    amount: { type: "number", minimum: 0, default: 5 },
    email: { type: "string", format: "email" },
    kind: { enum: ["a", "b"] },
    lines: { type: "array", items: { type: "object", required: ["sku"], properties: { sku: { type: "string" } } } },
  },
};

test("an input that fits has no issues and stays as it is", () => {
  const input = { id: "AB-1", email: "a@example.com", kind: "a", lines: [{ sku: "x" }] };
  const before = structuredClone(input);
  expect(compileInputSchema(order)(input)).toEqual([]);
  expect(input).toEqual(before);
});

test("every problem is told with its place", () => {
  const issues = compileInputSchema(order)({ amout: 1, amount: -1, email: "no", kind: "c", lines: [{}, { sku: 1 }] });
  expect(issues.map(({ code, pointer, hint }) => [code, pointer, hint]).toSorted()).toEqual([
    ["INVALID_VALUE", "/input/email", undefined],
    ["INVALID_VALUE", "/input/kind", undefined],
    ["MISSING_FIELD", "/input/id", undefined],
    ["MISSING_FIELD", "/input/lines/0/sku", undefined],
    ["OUT_OF_RANGE", "/input/amount", undefined],
    ["UNKNOWN_FIELD", "/input/amout", 'Did you mean "amount"?'],
    ["WRONG_TYPE", "/input/lines/1/sku", undefined],
  ]);
});

test("a value deeper in the input has an RFC 6901 pointer", () => {
  const check = compileInputSchema({ properties: { "a/b~c": { properties: { d: { type: "number" } } } } });
  expect(check({ "a/b~c": { d: "x" } })[0]?.pointer).toBe("/input/a~1b~0c/d");
});

test("draft-07 is understood where the schema says so", () => {
  const schema: JsonObject = {
    $schema: "http://json-schema.org/draft-07/schema#",
    properties: { pair: { items: [{ type: "string" }, { type: "number" }] } },
  };
  expect(compileInputSchema(schema)({ pair: ["a", "b"] })[0]?.pointer).toBe("/input/pair/1");
});

test("a schema may refer to itself", () => {
  const tree: JsonObject = {
    type: "object",
    properties: { value: { type: "number" }, left: { $ref: "#" }, right: { $ref: "#/$defs/node" } },
    $defs: { node: { $ref: "#" } },
  };
  expect(compileInputSchema(tree)({ value: 1, left: { right: { value: "x" } } })[0]?.pointer).toBe("/input/left/right/value");
});

test("two schemas with one $id do not meet", () => {
  const schema = (type: string): JsonObject => ({ $id: "https://example.com/s", properties: { a: { type } } });
  expect(compileInputSchema(schema("string"))({ a: "x" })).toEqual([]);
  expect(compileInputSchema(schema("number"))({ a: "x" })).toHaveLength(1);
});

test.each<[string, JsonObject]>([
  ["a type that is none", { type: "strin" }],
  ["a reference to another machine", { $ref: "https://example.com/other.json" }],
  ["a reference to itself and nothing else", { $ref: "#" }],
  ["references in a circle", { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } }],
  ["a reference to nothing", { $ref: "#/$defs/a" }],
  ["a pattern that only a backtracking engine takes", { properties: { a: { pattern: "(a)\\1" } } }],
  ["lists whose items are all compared with each other", { properties: { a: { type: "array", uniqueItems: true } } }],
  ["more than 1,000 nodes", { properties: Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`p${i}`, {}])) }],
])("%s is an INVALID_SCHEMA", (_name, schema) => {
  expect(inputSchemaIssues(schema).map(({ code }) => code)).toEqual(["INVALID_SCHEMA"]);
  expect(() => compileInputSchema(schema)).toThrow(expect.objectContaining({ code: "INVALID_DEFINITION" }) as Error);
});

test("unique items are compared where that is bounded", () => {
  expect(compileInputSchema({ properties: { a: { uniqueItems: true, maxItems: 10 } } })({ a: [{ x: 1 }, { x: 1 }] })).toHaveLength(1);
  expect(compileInputSchema({ properties: { a: { uniqueItems: true, items: { type: "string" } } } })({ a: ["x", "x"] })).toHaveLength(1);
});

test("each pattern of a schema is its own", () => {
  const check = compileInputSchema({
    properties: { a: { pattern: "^a" }, b: { pattern: "^b" } },
    patternProperties: { "^x": { type: "number" } },
  });
  expect(check({ a: "a", b: "b", x1: 1 })).toEqual([]);
  expect(check({ a: "b", b: "a", x1: "1" }).map(({ pointer }) => pointer)).toEqual(["/input/a", "/input/b", "/input/x1"]);
});

test("no input holds the service up, whatever the pattern", () => {
  const check = compileInputSchema({
    properties: { a: { type: "string", pattern: "^(a+)+$" }, list: { items: { pattern: "[ab]*a[ab]{200}[cd]" } } },
  });
  const spent = cpuTimeOf(() => {
    expect(check({ a: `${"a".repeat(20_000)}!` }).map(({ code }) => code)).toEqual(["INVALID_VALUE"]);
    expect(check({ list: Array.from({ length: 1_000 }, (_, i) => `${"ab".repeat(400)}${i}`) }).map(({ code }) => code)).toEqual([
      "TOO_LARGE",
    ]);
    expect(check({ list: Array.from({ length: 200_000 }, () => 1), a: 5 })).toHaveLength(1);
  });
  expect(spent).toBeLessThan(1_500);
});
