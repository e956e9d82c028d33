import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/definition/expression.ts";
import { SignalboxError } from "../../src/errors.ts";
import { cpuTimeOf } from "./cpu-time.ts";

/** An arithmetic expression twice: as CEL over `input.v0..v3` and as what JavaScript makes of it. All numbers are doubles. */
interface Twin {
  cel: string;
  js(v: readonly number[]): number;
}

const number = fc.oneof(fc.integer({ min: -1_000, max: 1_000 }), fc.double({ min: -1e6, max: 1e6, noNaN: true }));
const leaf: fc.Arbitrary<Twin> = fc.oneof(
  fc.nat({ max: 3 }).map((index) => ({ cel: `input.v${index}`, js: (v: readonly number[]) => v[index] ?? 0 })),
  fc.integer({ min: 0, max: 50 }).map((n) => ({ cel: `${n}.0`, js: () => n })),
);
const OPERATORS: Record<string, (left: number, right: number) => number> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": (left, right) => left % right,
};
const { arithmetic } = fc.letrec<{ arithmetic: Twin }>((tie) => ({
  arithmetic: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.tuple(fc.constantFrom(...Object.keys(OPERATORS)), tie("arithmetic"), tie("arithmetic")).map(([operator, left, right]) => ({
      cel: `(${left.cel} ${operator} ${right.cel})`,
      js: (v: readonly number[]) => OPERATORS[operator]?.(left.js(v), right.js(v)) ?? Number.NaN,
    })),
  ),
}));
const values = fc.tuple(number, number, number, number);
/** The value, or the code it fails with; anything but EXPRESSION_FAILED with its place is thrown on. */
function outcomeOf(cel: string, scope: Record<string, unknown>): unknown {
  try {
    return parseExpression(cel).evaluate(scope);
  } catch (error) {
    const { line, column, reason } = error instanceof SignalboxError ? error.details : {};
    if (typeof line === "number" && typeof column === "number" && typeof reason === "string") return (error as SignalboxError).code;
    throw error;
  }
}

const scopeOf = (v: readonly number[]) => ({ input: Object.fromEntries(v.map((item, index) => [`v${index}`, item])) });

describe("beside plain JavaScript", () => {
  test("arithmetic over JSON numbers gives the same number, or fails where there is none", () => {
    fc.assert(
      fc.property(arithmetic, values, (twin, v) => {
        const expected = twin.js(v);
        expect(outcomeOf(twin.cel, scopeOf(v))).toBe(Number.isFinite(expected) ? expected : "EXPRESSION_FAILED");
      }),
      { numRuns: 500 },
    );
  });

  test("an integer literal beside a JSON number is that number", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(OPERATORS)),
        fc.integer({ min: 1, max: 1_000 }),
        number,
        fc.boolean(),
        (operator, literal, v, isLeft) => {
          const cel = isLeft ? `${literal} ${operator} input.v0` : `input.v0 ${operator} ${literal}`;
          const expected = isLeft ? OPERATORS[operator]?.(literal, v) : OPERATORS[operator]?.(v, literal);
          expect(outcomeOf(cel, scopeOf([v]))).toBe(Number.isFinite(expected) ? expected : "EXPRESSION_FAILED");
        },
      ),
      { numRuns: 500 },
    );
  });

  test("comparisons agree, whichever side is a literal", () => {
    const comparisons: Record<string, (left: number, right: number) => boolean> = {
      "<": (left, right) => left < right,
      "<=": (left, right) => left <= right,
      ">": (left, right) => left > right,
      ">=": (left, right) => left >= right,
      "==": (left, right) => left === right,
      "!=": (left, right) => left !== right,
    };
    const near = fc.integer({ min: 0, max: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(comparisons)), near, near, (operator, left, right) => {
        const expected = comparisons[operator]?.(left, right);
        const scope = { input: { left, right } };
        for (const cel of [
          `input.left ${operator} input.right`,
          `${left} ${operator} input.right`,
          `input.left ${operator} ${right}`,
          `input.left ${operator} ${right}.0`,
        ]) {
          expect(parseExpression(cel).evaluate(scope), cel).toBe(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("equality of JSON values is deep equality", () => {
    // -0 and 0 are one number to CEL, as to ===.
    const json = fc.jsonValue({ noUnicodeString: true }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
    fc.assert(
      fc.property(json, json, (left, right) => {
        expect(parseExpression("input.left == input.right").evaluate({ input: { left, right } })).toBe(
          JSON.stringify(left) === JSON.stringify(right),
        );
        expect(parseExpression("input.left == input.copy").evaluate({ input: { left, copy: structuredClone(left) } })).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("map, filter, all and exists agree with the array methods", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 20 })), fc.integer({ min: -20, max: 20 }), (list, bound) => {
        const run = (cel: string) => parseExpression(cel).evaluate({ input: { list, bound } });
        expect(run("input.list.map(x, x * 2 + input.bound)")).toEqual(list.map((x) => x * 2 + bound));
        expect(run("input.list.filter(x, x > input.bound)")).toEqual(list.filter((x) => x > bound));
        expect(run("input.list.all(x, x > input.bound)")).toBe(list.every((x) => x > bound));
        expect(run("input.list.exists(x, x > input.bound)")).toBe(list.some((x) => x > bound));
        expect(run("size(input.list)")).toBe(list.length);
      }),
      { numRuns: 200 },
    );
  });
});

describe("whatever is written", () => {
  const token = fc.constantFrom(
    ..."input vars steps.a.output event item x ( ) [ ] { } . , : ? ! - + * / % < <= == != && || in 1 2.5 0x1f 'a' \"b\" r'\\d' b'z' true null size( has( re2( .map(x, .filter(x, .all(x, .exists(x, .join(',') .split('') .contains('a') string( int( [1,2] {'k':1} input.list input.text ${ } // \n \\ é \u0000".split(
      " ",
    ),
  );
  const source = fc.oneof(
    fc.array(token, { maxLength: 14 }).map((tokens) => tokens.join(" ")),
    fc.array(token, { maxLength: 10 }).map((tokens) => tokens.join("")),
    fc.string({ maxLength: 60 }),
  );

  test("it gives JSON or EXPRESSION_FAILED, soon", { timeout: 30_000 }, () => {
    const scope = {
      input: { list: Array.from({ length: 2_000 }, (_, i) => i), text: "a".repeat(50_000) },
      vars: {},
      steps: { a: { output: [1, { b: 2 }] } },
      item: 3,
    };
    fc.assert(
      fc.property(source, (cel) => {
        const spent = cpuTimeOf(() => {
          const outcome = outcomeOf(cel, scope);
          expect(JSON.parse(JSON.stringify(outcome))).toEqual(outcome);
        });
        expect(spent).toBeLessThan(1_500);
      }),
      { numRuns: 3_000 },
    );
  });
});
