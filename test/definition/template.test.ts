import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../src/definition/json.ts";
import { parseTemplate } from "../../src/definition/template.ts";
import type { SignalboxError } from "../../src/errors.ts";

const scope = { input: { n: 3, list: [1, 2], text: "${ vars.secret }", none: null, object: { a: 1 } }, vars: { secret: "s" } };

function value(template: Json): Json {
  return parseTemplate(template).evaluate(scope);
}

test.each([
  ["a lone expression keeps the type", "${ input.list }", [1, 2]],
  ["spaces around it do not", " ${ input.list }", " [1,2]"],
  ["in a text, text is written as it is", "n=${ input.n }, ${input.none}.", "n=3, ."],
  ["objects are written as JSON", "o: ${ input.object }", 'o: {"a":1}'],
  ["$${ is a literal ${", "$${ input.n } and ${ input.n }", "${ input.n } and 3"],
  ["a dollar alone is a dollar", "$5, $$ and {}", "$5, $$ and {}"],
  ["braces of maps belong to the expression", "${ {'a': {'b': 1}}.a }", { b: 1 }],
  ["braces in strings do too", "${ '}' + '{' + \"}\" }", "}{}"],
  ["escaped quotes in strings do too", "${ 'a\\'}' + 'b' }", "a'}b"],
  ["raw strings do too", "${ r'\\d}' + '}' }", "\\d}}"],
  ["comments may hold one", "${ 1 // }\n + 1 }", 2],
  ["strings with three quotes too", "${ '''a'}''' }!", "a'}!"],
  ["several in a row", "${ input.n }${ input.n }", "33"],
  ["everywhere inside", { a: ["${ input.n }", { b: "${ input.n + 1 }" }], c: 7 }, { a: [3, { b: 4 }], c: 7 }],
  ["keys are left alone", { "${ input.n }": 1 }, { "${ input.n }": 1 }],
] as [string, Json, Json][])("%s", (_name, template, expected) => {
  expect(value(template)).toEqual(expected);
});

test("data is never evaluated", () => {
  expect(value("${ input.text }")).toBe("${ vars.secret }");
  expect(value("<${ input.text }>")).toBe("<${ vars.secret }>");
});

test("a key __proto__ stays a key", () => {
  const template = JSON.parse('{"__proto__": "${ input.n }"}') as Json;
  expect(JSON.stringify(value(template))).toBe('{"__proto__":3}');
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("it tells the expressions it holds", () => {
  const { expressions } = parseTemplate({ a: "${ steps.one.output } ${ vars.x }", b: ["${ steps.two.output }"] });
  expect(expressions.flatMap(({ stepIds }) => [...stepIds])).toEqual(["one", "two"]);
});

describe("failures", () => {
  test.each([
    ["an expression that is none", { a: { "b/c": ["x", "${ 1 + }"] } }, "/a/b~1c/1"],
    ["one that is never closed", { a: "${ input.n" }, "/a"],
    ["an empty one", ["${}"], "/0"],
  ] as [string, Json, string][])("%s is told with its pointer", (_name, template, pointer) => {
    try {
      parseTemplate(template);
    } catch (error) {
      expect((error as SignalboxError).code).toBe("EXPRESSION_FAILED");
      expect((error as SignalboxError).details["pointer"]).toBe(pointer);
      return;
    }
    throw new Error("It was accepted.");
  });

  test("a missing key is told with its pointer", () => {
    const template = parseTemplate({ deep: ["${ input.nothing }"] });
    expect(() => template.evaluate(scope)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ pointer: "/deep/0" }) as object }) as Error,
    );
  });
});

test("any JSON without ${ stands for itself", () => {
  const json = fc.jsonValue().filter((candidate) => !JSON.stringify(candidate).includes("${")) as fc.Arbitrary<Json>;
  fc.assert(
    fc.property(json, (template) => {
      expect(value(template)).toEqual(template);
    }),
  );
});

test("any text can be written literally", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const escaped = text.replaceAll("${", () => "$${");
      // `$$${` would be read as `$` and a literal `${`, which is what is meant as well.
      expect(value(escaped)).toBe(text);
    }),
  );
});
