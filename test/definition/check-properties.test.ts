import fc from "fast-check";
import { expect, test } from "vitest";
import { checkDefinition } from "../../src/definition/check/check.ts";
import { pointerKeys } from "../../src/definition/pointer.ts";
import { validateWorkflow } from "../../src/definition/validate.ts";
import { canonicalDefinition, WorkflowInput, type WorkflowDefinition } from "../../src/definition/workflow.ts";
import { catalog } from "./catalog.ts";

const id = fc.constantFrom("a", "b", "c", "d", "e", "B", "toString", "nowhere");
const cel = fc.constantFrom(
  "true",
  "input.x > 1",
  "vars.v == 2",
  "vars.w",
  "'text'",
  "1 +",
  "steps.a.output",
  "steps.zz.output",
  "output.x",
  "error.code == 'X'",
  "size(input)",
  "input.l.map(x, x)",
);
const text = fc.oneof(
  cel.map((source) => `\${ ${source} }`),
  fc.constantFrom("plain", "$${ x", "${ open", "a ${ input.x } b"),
);
const next = fc.oneof(
  id,
  fc.record(
    { to: id, when: cel, on: fc.constantFrom("success", "error", "timeout", "rejected", "skipped"), label: fc.string({ maxLength: 5 }) },
    { requiredKeys: ["to"] },
  ),
);
const type = fc.constantFrom(
  "start",
  "end",
  "transform",
  "condition",
  "switch",
  "decision",
  "delay",
  "approval",
  "prompt",
  "test_split",
  "test_careful",
  "nope",
);
const config = fc.oneof(
  fc.record({ set: fc.dictionary(fc.string({ maxLength: 4 }), text, { maxKeys: 3 }) }),
  fc.record({ condition: cel, truePath: id, falsePath: id }, { requiredKeys: ["condition"] }),
  fc.record(
    { on: cel, cases: fc.array(fc.record({ equals: fc.jsonValue({ maxDepth: 1 }), to: id }), { minLength: 1, maxLength: 3 }), default: id },
    { requiredKeys: ["on", "cases"] },
  ),
  fc.record({ fallback: id, rules: fc.array(fc.record({ when: cel, choose: id }), { maxLength: 2 }) }, { requiredKeys: [] }),
  fc.record({
    branches: fc.array(fc.record({ name: fc.string({ maxLength: 3 }), start: id }), { maxLength: 3 }),
    join: fc.oneof(id, fc.constant(null)),
  }),
  fc.record({ for: fc.oneof(fc.constant("2s"), text) }),
  fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 }),
  fc.constant({}),
);
const policy = fc.record(
  { action: fc.constantFrom("fail", "continue", "goto", "pause", "compensate"), goto: id },
  { requiredKeys: ["action"] },
);
const step = fc.record(
  {
    id,
    type,
    config,
    nextSteps: fc.array(next, { maxLength: 4 }),
    conditions: fc.array(cel, { maxLength: 2 }),
    input: fc.dictionary(fc.constantFrom("p", "q"), text),
    output: fc.dictionary(fc.constantFrom("v", "w"), text),
    onError: policy,
    compensate: id,
  },
  { requiredKeys: ["id", "type", "nextSteps"] },
);
const workflow = fc.record(
  {
    name: fc.constant("w"),
    steps: fc.array(step, { minLength: 1, maxLength: 7 }),
    variables: fc.dictionary(
      fc.constantFrom("v", "w", "toString"),
      fc.record({ type: fc.constantFrom("string", "number", "array"), default: fc.jsonValue({ maxDepth: 1 }) }, { requiredKeys: [] }),
    ),
    output: fc.dictionary(fc.constantFrom("r"), text),
    onError: policy,
    input: fc.oneof(
      fc.constant({ type: "object", properties: { x: { type: "number" } } }),
      fc.dictionary(fc.constantFrom("type", "properties", "pattern", "$ref", "required"), fc.jsonValue({ maxDepth: 2 })),
    ),
    triggers: fc.array(fc.record({ type: fc.constantFrom("manual", "event"), condition: cel }, { requiredKeys: ["type"] }), {
      maxLength: 2,
    }),
  },
  { requiredKeys: ["name", "steps"] },
);

test("whatever a definition says, the checker answers, with pointers that lead somewhere", { timeout: 30_000 }, () => {
  fc.assert(
    fc.property(workflow, (raw) => {
      const parsed = WorkflowInput.safeParse(raw);
      if (!parsed.success) return;
      const definition = canonicalDefinition(parsed.data);
      for (const { code, pointer, message } of checkDefinition(definition, catalog)) {
        expect(code).toMatch(/^[A-Z_]+$/);
        expect(message).not.toBe("");
        expect(leadsSomewhere(definition, pointer), pointer).toBe(true);
      }
    }),
    { numRuns: 250 },
  );
});

test("whatever comes in place of a definition, validation answers", { timeout: 30_000 }, () => {
  const anything = fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }),
    fc.jsonValue(),
    workflow.map((raw) => ({ ...raw, extra: 1 })),
  );
  fc.assert(
    fc.property(anything, (raw) => {
      const { issues, definition } = validateWorkflow(raw, catalog);
      expect(issues.length > 0 || definition !== null).toBe(true);
    }),
    { numRuns: 250 },
  );
  const circular: Record<string, unknown> = { name: "w" };
  circular["steps"] = [circular];
  expect(validateWorkflow(circular, catalog).issues).toHaveLength(1);
});

/** A chain that goes forward: mostly sound, with some of what may be wrong. */
const chain = fc
  .integer({ min: 1, max: 6 })
  .chain((length) =>
    fc
      .tuple(...Array.from({ length }, (_, index) => chainStep(index, length)))
      .map((steps) => ({ name: "chain", trigger: { type: "manual" }, variables: { v: { type: "number" } }, steps })),
  );

function chainStep(index: number, length: number): fc.Arbitrary<object> {
  const later = Array.from({ length: length - index - 1 }, (_, offset) => `s${index + offset + 1}`);
  const condition = fc.constantFrom("input.x > 1", "vars.v == 2", "steps.s0.output != null");
  const ways =
    later[0] === undefined
      ? fc.constant([])
      : fc.array(fc.record({ to: fc.constantFrom(...later), when: condition }), { maxLength: 2 }).map((some) => [...some, later[0]]);
  return fc.record(
    {
      id: fc.constant(`s${index}`),
      type: fc.constant("transform"),
      config: fc.record({
        set: fc.dictionary(
          fc.string({ maxLength: 4 }),
          text.filter((value) => /vars\.v|input\.x|plain/.test(value)),
          { maxKeys: 2 },
        ),
      }),
      nextSteps: ways,
      conditions: fc.array(condition, { maxLength: 2 }),
      description: fc.constantFrom("text", undefined),
      maxVisits: fc.integer({ min: 1, max: 9 }),
    },
    { requiredKeys: ["id", "type", "config", "nextSteps"] },
  );
}

test("a definition without issues has none after it was stored, read and written again", { timeout: 30_000 }, () => {
  let sound = 0;
  fc.assert(
    fc.property(chain, (raw) => {
      const first = validateWorkflow(raw, catalog);
      if (first.issues.length > 0 || !first.definition) return;
      sound++;
      const stored = JSON.parse(JSON.stringify(first.definition)) as WorkflowDefinition;
      const second = validateWorkflow(stored, catalog);
      expect(second.issues).toEqual([]);
      expect(second.definition).toEqual(first.definition);
    }),
    { numRuns: 300 },
  );
  // The generator must hit sound definitions, or this says nothing.
  expect(sound).toBeGreaterThan(100);
});

/** The place itself exists, or the object it should be in: a missing field has a pointer too. */
function leadsSomewhere(definition: unknown, pointer: string): boolean {
  const keys = pointerKeys(pointer);
  let value = definition;
  for (const key of keys.slice(0, -1)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return false;
    value = (value as Record<string, unknown>)[key];
  }
  return keys.length === 0 || (typeof value === "object" && value !== null);
}
