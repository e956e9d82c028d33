import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/definition/expression.ts";
import { parseTemplate } from "../../src/definition/template.ts";
import { cpuTimeOf } from "./cpu-time.ts";

/** CPU time: about 15 times what the worst of these takes; without the budget they take seconds to hours. */
const MAX_MS = 1_500;

const numbers = Array.from({ length: 500_000 }, (_, index) => index);
const thousands = numbers.slice(0, 3_000);
const objects = thousands.map((id) => ({ id, text: "x".repeat(50), nested: [{ id }, { id }] }));
const scope = {
  input: { numbers, thousands, objects, text: "a".repeat(1_000_000), other: "a".repeat(1_000_000), random: randomText(200_000) },
};

/** Text on which no automaton can take a short cut. */
function randomText(length: number): string {
  let seed = 1;
  return Array.from({ length }, () => ((seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) < 1_073_741_824 ? "a" : "b")).join("");
}

const hostile = [
  "input.thousands.map(x, input.thousands.map(y, x * y))",
  "input.thousands.exists(x, input.thousands.exists(y, y == -1))",
  "input.thousands.all(x, input.thousands.all(y, size(input.thousands) > 0))",
  "input.thousands.exists(x, input.thousands.exists(y, y == -1)) || true",
  "input.numbers.map(x, [x, x, x])",
  "input.thousands.map(x, input.numbers + input.numbers)",
  `['a']${".map(a, a + a)".repeat(35)}`,
  `['a']${".map(a, [a, a, a])".repeat(30)}`,
  "input.thousands.filter(x, input.objects == input.objects.map(o, o))",
  "input.objects.filter(o, o in input.objects)",
  "input.thousands.filter(x, x in input.numbers)",
  "input.thousands.filter(x, input.text < input.other)",
  "input.thousands.filter(x, input.text == input.other)",
  "input.thousands.filter(x, size(input.text) > 3)",
  "input.thousands.map(x, input.text.split(''))",
  "input.thousands.map(x, input.text.lowerAscii())",
  "input.thousands.map(x, input.text.indexOf('aaaaaaaaaaaaaaaab'))",
  "input.thousands.map(x, bytes(input.text).hex())",
  "input.thousands.map(x, string(x)).join(input.text)",
  "re2(input.random, '[ab]*a[ab]{200}[cd]')",
  "input.thousands.filter(x, re2(input.text, '(a+)+$'))",
  "input.objects.map(o, {'copy': input.text})",
  `input.text${" + input.text".repeat(300)}`,
  `[input.text${", input.text".repeat(199)}]`,
];

describe("work is bounded", () => {
  test.each(hostile)("%s", (source) => {
    const expression = parseExpression(source);
    const spent = cpuTimeOf(() => expect(() => expression.evaluate(scope)).toThrow(/takes more than 1,000,000 operations/));
    expect(spent).toBeLessThan(MAX_MS);
  });

  test("patterns that stop other engines take no time at all", () => {
    const expression = parseExpression("re2(input.text, '^(a+)+$')");
    const spent = cpuTimeOf(() => expect(expression.evaluate({ input: { text: `${"a".repeat(50_000)}!` } })).toBe(false));
    expect(spent).toBeLessThan(MAX_MS);
  });

  test("honest work over large lists is done", () => {
    expect(parseExpression("size(input.numbers.filter(x, x == 7))").evaluate({ input: { numbers: numbers.slice(0, 100_000) } })).toBe(1);
    expect(parseExpression("size(input.thousands.filter(x, x in [1, 2, 3]))").evaluate(scope)).toBe(3);
    const joined = parseExpression("input.orders.map(o, {'id': o.id, 'of': input.people.filter(p, p.id == o.person)})");
    const people = thousands.slice(0, 200).map((id) => ({ id }));
    expect(joined.evaluate({ input: { people, orders: people.map(({ id }) => ({ id, person: id })) } })).toHaveLength(200);
  });

  test("one evaluation that used its budget up leaves the next one its own", () => {
    expect(() => parseExpression("input.numbers.map(x, [x, x])").evaluate(scope)).toThrow(/takes more than/);
    expect(parseExpression("size(input.thousands.map(x, x + 1))").evaluate(scope)).toBe(3_000);
  });

  test("all expressions of a template share one budget", () => {
    const once = parseTemplate({ a: "${ input.list.map(x, x + 1).size() }" });
    const often = parseTemplate(
      Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, `\${ input.list.map(x, x + ${index}).size() }`])),
    );
    const input = { list: numbers.slice(0, 20_000) };
    expect(once.evaluate({ input })).toEqual({ a: 20_000 });
    expect(() => often.evaluate({ input })).toThrow(/takes more than/);
  });
});
