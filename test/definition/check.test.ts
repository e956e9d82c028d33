import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ISSUE_CODES } from "../../src/definition/check/codes.ts";
import { validateWorkflow } from "../../src/definition/validate.ts";
import { careful, cases, decision, split, step, workflow } from "./check-cases.ts";
import { catalog, triggerCatalog } from "./catalog.ts";
import { cpuTimeOf } from "./cpu-time.ts";

function codes(raw: unknown): string[] {
  return validateWorkflow(raw, catalog, triggerCatalog).issues.map(({ code, pointer }) => `${code} ${pointer}`);
}

test.each(cases)("%s", (_name, raw, ...issues) => {
  expect(codes(raw)).toEqual(issues);
});

test("every code has a case, and there is no other code", async () => {
  const tested = new Set(cases.flatMap(([, , ...issues]) => issues.map((issue) => issue.split(" ")[0])));
  expect([...tested].toSorted()).toEqual(Object.keys(ISSUE_CODES).toSorted());
  const folder = path.join(import.meta.dirname, "../../src/definition");
  const files = ["validate.ts", "json-bounds.ts", ...(await readdir(path.join(folder, "check"))).map((name) => `check/${name}`)];
  const sources = await Promise.all(files.map((name) => readFile(path.join(folder, name), "utf8")));
  const written = sources.flatMap((source) =>
    [...source.matchAll(/code: (?:\w+ \? )?"([A-Z_]+)"(?: : "([A-Z_]+)")?/g)].flatMap(([, first, second]) => [first, second]),
  );
  expect(Object.keys(ISSUE_CODES)).toEqual(expect.arrayContaining(written.filter((code) => code !== undefined)));
});

describe("nothing is said about", () => {
  test.each<[string, unknown]>([
    ["a single step", workflow([step("a")])],
    ["a decision with several open options", decision({ fallback: "yes" })],
    [
      "a cycle with a way out",
      workflow([step("a", ["b"]), step("b", [{ to: "a", when: "vars.n < 3" }, "c"], { output: { n: "${ vars.n + 1 }" } }), step("c")], {
        variables: { n: { type: "number", default: 0 } },
      }),
    ],
    [
      "ways for different outcomes",
      workflow([step("a", ["b", { to: "c", on: "error", when: "error.code == 'X'" }, { to: "b", on: "error" }]), step("b"), step("c")]),
    ],
    ["templates in place of any type", careful({ count: "${ input.n }", either: "${ input.e }", text: "a ${ 1 }" })],
    ["a template inside a union", careful({ either: { at: "${ input.e }" }, choice: { from: "${ input.e }" } })],
    ["a literal that looks like a template", careful({ pattern: "${ 1 + }" })],
    ["a field beside a bare expression that looks like a template", careful({ rules: [{ when: "true", note: "${ 1 + }" }] })],
    ["an alias", workflow([{ id: "a", type: "test_alias" }])],
    [
      "structured branches, nested",
      workflow(
        split(
          ["a", "inner"],
          "j",
          step("a", ["j"]),
          { id: "inner", type: "test_split", config: { branches: [{ name: "x", start: "x" }], join: "k" } },
          step("x", ["k"]),
          step("k", ["j"]),
          step("j"),
        ),
      ),
    ],
    ["branches that end by themselves", workflow(split(["a", "b"], null, step("a", ["c"]), step("c"), step("b")))],
    [
      "branches that write one list",
      workflow(split(["a", "b"], "j", step("a", ["j"], { output: { x: "1" } }), step("b", ["j"], { output: { x: "2" } }), step("j")), {
        variables: { x: { type: "array", reducer: "append" } },
      }),
    ],
    ["an undoing step", workflow([step("a", [], { compensate: "undo" }), step("undo")])],
    ["a handler only errors reach", workflow([step("a", [], { onError: { action: "goto", goto: "h" } }), step("h")])],
    ["a null default", workflow([step("a")], { variables: { s: { type: "string", default: null } } })],
    [
      "a variable compared with null",
      workflow([step("a", [], { conditions: ["vars.s == null || vars.s == 'x'"] })], { variables: { s: { type: "string" } } }),
    ],
    [
      "numbers of all kinds beside each other",
      workflow([step("a", [], { conditions: ["vars.n == 1 && vars.n in [1, 2] && vars.n + 1 > 1.5 && input.n % 2 == 0"] })], {
        variables: { n: { type: "number" } },
        input: { properties: { n: { type: "integer" } } },
      }),
    ],
    [
      "a field of an open input",
      workflow([step("a", [], { conditions: ["input.other == 1 && size(input) > 0"] })], {
        input: { properties: { n: { type: "number" } } },
      }),
    ],
    [
      "a variable that is written but not declared",
      workflow([step("a", ["b"], { output: { x: "${ output }" } }), step("b", [], { conditions: ["vars.x == 1"] })]),
    ],
  ])("%s", (_name, raw) => {
    expect(codes(raw)).toEqual([]);
  });
});

test("all problems come at once, in the order of the document, with messages and hints", () => {
  const { issues } = validateWorkflow(
    workflow([step("start", ["midle"]), step("middle", [{ to: "end", when: "vars.cuont > 1" }]), step("end", [], { type: "edn" })], {
      variables: { count: { type: "number", default: "0" } },
    }),
    catalog,
  );
  expect(issues.map(({ code, pointer, hint }) => [code, pointer, hint])).toEqual([
    ["UNKNOWN_TARGET", "/steps/0/nextSteps/0/to", 'Did you mean "middle"?'],
    ["UNREACHABLE_STEP", "/steps/1", expect.any(String)],
    ["UNKNOWN_VARIABLE", "/steps/1/nextSteps/0/when", 'Did you mean "count"?'],
    ["UNREACHABLE_STEP", "/steps/2", expect.any(String)],
    ["UNKNOWN_STEP_TYPE", "/steps/2/type", 'Did you mean "end"?'],
    ["DEFAULT_TYPE_MISMATCH", "/variables/count/default", undefined],
  ]);
  for (const { message } of issues) expect(message).toMatch(/^[A-Z"`].*\.$/s);
});

test("a thousand steps are checked within a second", () => {
  const steps = Array.from({ length: 1_000 }, (_, i) =>
    step(`s${i}`, i < 999 ? [{ to: `s${i + 1}`, when: `vars.n < ${i}` }, `s${i + 1 < 999 ? i + 2 : 999}`] : [], {
      config: { set: { x: `\${ steps.s${i}.output.x + ${i} }` } },
    }),
  );
  const spent = cpuTimeOf(() => expect(codes(workflow(steps, { variables: { n: { type: "number" } } }))).toEqual([]));
  expect(spent).toBeLessThan(1_000);
});
