import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/definition/expression.ts";
import type { SignalboxError } from "../../src/errors.ts";

const scope = {
  input: {
    amount: 120,
    name: "Ann",
    tags: ["vip", "new"],
    order: {
      lines: [
        { sku: "a", qty: 2 },
        { sku: "b", qty: 3 },
      ],
    },
    empty: null,
  },
  vars: { count: 3, ratio: 0.5, flag: true },
  steps: { score: { output: { risk: 0.25 } } },
};

function value(source: string, extra: Record<string, unknown> = {}): unknown {
  return parseExpression(source).evaluate({ ...scope, ...extra });
}

function failure(work: () => unknown): SignalboxError {
  try {
    work();
  } catch (error) {
    return error as SignalboxError;
  }
  throw new Error("It did not fail.");
}

describe("values", () => {
  test.each([
    ["input.amount + 1", 121],
    ["1 + input.amount", 121],
    ["input.amount / 8", 15],
    ["input.amount % 7", 1],
    ["7 % 4.0", 3],
    ["2 * 1.5", 3],
    ["7 / 2", 3],
    ["7 / 2.0", 3.5],
    ["-input.amount", -120],
    ["vars.count == 3 && vars.ratio < 1", true],
    ["size(input.tags)", 2],
    ["size(input.order.lines) / 2", 1],
    ["input.tags.exists(tag, tag == 'vip')", true],
    ["input.order.lines.map(line, line.qty * 10)", [20, 30]],
    ["input.order.lines.filter(line, line.qty > 2)", [{ sku: "b", qty: 3 }]],
    [
      "input.order.lines.map(line, {'sku': line.sku, 'tags': input.tags.map(tag, tag + line.sku)})",
      [
        { sku: "a", tags: ["vipa", "newa"] },
        { sku: "b", tags: ["vipb", "newb"] },
      ],
    ],
    ["{'a': 1, 'b': 'x', 'c': [1, 'y', null, true]}", { a: 1, b: "x", c: [1, "y", null, true] }],
    ["has(input.coupon) ? input.coupon : null", null],
    ["has(input.name) ? input.name : 0", "Ann"],
    ["input.amount > 100 ? 'big' : null", "big"],
    ["input.amount > 100 ? 1 : 'small'", 1],
    ["input.empty == null", true],
    ["input.amount in [120, 130]", true],
    ["'name' in input", true],
    ["input.name.startsWith('A') && input.name.endsWith('n') && input.name.contains('nn')", true],
    ["input.name.lowerAscii()", "ann"],
    ["string(input.amount) + ' EUR'", "120 EUR"],
    ["int('42') + 1", 43],
    ["timestamp('2024-02-29T12:00:00Z')", "2024-02-29T12:00:00.000Z"],
    ["timestamp('2024-02-29T12:00:00Z') + duration('90m') > timestamp('2024-02-29T13:00:00Z')", true],
    ["re2(input.name, '^A[a-z]+$')", true],
    ["input.name.re2('^B')", false],
    ["steps.score.output.risk", 0.25],
    ["steps['score'].output", { risk: 0.25 }],
  ])("%s", (source, expected) => {
    expect(value(source)).toEqual(expected);
  });

  test("are JSON: integers of CEL are numbers however deep they are", () => {
    expect(JSON.stringify(value("{'n': size(input.tags), 'list': [1, {'m': 2}]}"))).toBe('{"n":2,"list":[1,{"m":2}]}');
  });

  test("that are no JSON are errors", () => {
    for (const source of ["1.0 / 0.0", "input.amount / 0", "type(1)", "google", "9007199254740993"]) {
      expect(failure(() => value(source)).code, source).toBe("EXPRESSION_FAILED");
    }
  });

  test("of the scope are handed on uncopied", () => {
    expect(value("input.order")).toBe(scope.input.order);
  });

  test("do not change the scope", () => {
    const frozen = structuredClone(scope);
    value("input.order.lines.map(line, {'a': line.qty + 1, 'b': [size(input.tags)]}) + [input.tags]");
    expect(scope).toEqual(frozen);
  });
});

describe("what an expression knows of itself", () => {
  test("names its roots and steps, not its own variables", () => {
    const { names, stepIds } = parseExpression(
      "steps.a.output > 1 && steps['b-c'].output.exists(input, input == vars.x) && size(steps) > 0",
    );
    expect([...names].toSorted()).toEqual(["steps", "vars"]);
    expect([...stepIds]).toEqual(["a", "b-c"]);
  });

  test("it may be evaluated again and again", () => {
    const expression = parseExpression("input.list.filter(x, x > input.least).map(x, x * 2)");
    expect(expression.evaluate({ input: { list: [1, 2, 3], least: 1 } })).toEqual([4, 6]);
    expect(expression.evaluate({ input: { list: [], least: 1 } })).toEqual([]);
    expect(expression.evaluate({ input: { list: [5], least: 0 } })).toEqual([10]);
  });
});

describe("failures", () => {
  test("say where and what", () => {
    const error = failure(() => parseExpression("input.a >\n  inptu.b"));
    expect(error.code).toBe("EXPRESSION_FAILED");
    expect(error.details).toMatchObject({ line: 2, column: 3, reason: "unknown_variable" });
    expect(error.message).toContain('Did you mean "input"?');
  });

  test("of a missing key teach has()", () => {
    expect(failure(() => value("input.order.total > 1")).message).toContain("has(input.order.total)");
    expect(failure(() => value("has(input.customer.name)")).message).toContain("has(input.customer)");
    expect(failure(() => value("input['order-total']")).message).toContain("key in input");
  });

  test("of a misspelt function name the right one", () => {
    expect(failure(() => parseExpression("input.name.startWith('A')")).message).toContain('Did you mean "startsWith"?');
  });

  test.each([
    ["matches()", "input.name.matches('a+')", "re2(text, 'pattern')"],
    ["a pattern made of data", "re2(input.name, input.pattern)", "written out"],
    ["a pattern RE2 does not take", "re2(input.name, '(?=a)')", "RE2"],
    ["a pattern that unrolls to thousands of instructions", "re2(input.name, 'a{600}b{600}')", "too large"],
    ["cel.bind", "cel.bind(a, input.name, a + a)", "transform step"],
    ["three nested walks", "input.tags.map(a, input.tags.map(b, input.tags.map(c, a + b + c)))", "2 levels"],
    ["a key that would be lost", "{'__proto__': 1}", "__proto__"],
    ["a clock", "now()", ""],
    ["an unknown root", "process.env", "Names are"],
    ["an unknown root that every object has", "constructor", "Names are"],
    ["4,097 characters", `'${"a".repeat(4_095)}'`, "4096"],
    ["2,001 nodes", `1${"+1".repeat(1_000)}`, "maxAstNodes"],
    ["41 levels", `${"[".repeat(41)}1${"]".repeat(41)}`, "maxDepth"],
    ["a literal list of 201", `[1${",1".repeat(200)}]`, "maxListElements"],
    ["nothing", "", "the end"],
  ])("%s is refused when it is parsed", (_name, source, hint) => {
    const error = failure(() => parseExpression(source));
    expect(error.code).toBe("EXPRESSION_FAILED");
    expect(error.message).toContain(hint);
    expect(error.details["line"]).toBe(1);
  });

  test("two nested walks are allowed, side by side as often as wanted", () => {
    expect(value("input.tags.map(a, input.tags.map(b, a + b)).size() + input.tags.map(a, input.tags.size()).size()")).toBe(4);
  });
});

describe("what is not in the data is not there", () => {
  test.each([
    "input.constructor",
    "input['constructor']",
    "input.__proto__",
    "input['__proto__']",
    "input.toString",
    "input.name.constructor",
    "input.name.length",
    "input.tags.length",
    "input.tags.constructor",
    "input.amount.constructor",
    "steps.constructor",
    "vars.hasOwnProperty",
    "input.tags.map(x, x.constructor)",
    "[input].map(x, x['__proto__'])",
  ])("%s", (source) => {
    expect(failure(() => value(source)).message).toMatch(/No such key/);
  });

  test("has() is false for what every object inherits", () => {
    expect(value("has(input.constructor) || has(input.toString) || 'constructor' in input")).toBe(false);
  });

  test("an own field with such a name is data", () => {
    const input = JSON.parse('{"constructor": 1, "__proto__": {"polluted": true}}') as object;
    expect(value("input.constructor", { input })).toBe(1);
    expect(value("input['__proto__'].polluted", { input })).toBe(true);
    expect(value("input", { input })).toEqual(input);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    const results = [
      { driver: "a", constructor: "x" },
      { driver: "b", constructor: null },
    ];
    expect(value("input.filter(r, r.constructor == 'x').map(r, r.driver)", { input: results })).toEqual(["a"]);
  });
});
