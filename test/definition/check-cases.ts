import { MAX_DEFINITION_BYTES } from "../../src/definition/validate.ts";

type Raw = Record<string, unknown>;

/** A step that sets nothing. */
export function step(id: string, nextSteps: unknown[] = [], more: Raw = {}): Raw {
  return { id, type: "transform", config: { set: {} }, nextSteps, ...more };
}

export function workflow(steps: Raw[], more: Raw = {}): Raw {
  return { name: "test", steps, ...more };
}

/** A workflow with one trigger, an event's unless told. */
export function triggered(trigger: Raw): Raw {
  return workflow([step("a")], {
    triggers: [{ type: "event", ...(trigger["type"] === undefined && { config: { eventType: "x" } }), ...trigger }],
  });
}

export function careful(config: Raw): Raw {
  return workflow([{ id: "a", type: "test_careful", config }]);
}

export function decision(config: Raw, more: Raw = {}): Raw {
  const options = [
    { to: "yes", description: "Yes" },
    { to: "no", description: "No" },
  ];
  return workflow([{ id: "d", type: "decision", config, nextSteps: options }, step("yes"), step("no")], more);
}

export function split(branches: string[], join: string | null, ...steps: Raw[]): Raw[] {
  return [{ id: "split", type: "test_split", config: { branches: branches.map((start) => ({ name: start, start })), join } }, ...steps];
}

/** Each with all it reports and nothing else: what is found twice is noise. */
export const cases: [name: string, raw: unknown, ...issues: string[]][] = [
  ["two ways without a condition", workflow([step("a", ["b", "c"]), step("b"), step("c")]), "AMBIGUOUS_NEXT_STEPS /steps/0/nextSteps"],
  [
    "two ways without a condition after an error",
    workflow([step("a", [{ to: "b" }, { to: "b", on: "error" }, { to: "c", on: "error" }]), step("b"), step("c")]),
    "AMBIGUOUS_NEXT_STEPS /steps/0/nextSteps",
  ],
  [
    "a way after the one that always applies",
    workflow([step("a", ["b", { to: "c", when: "input.x" }]), step("b"), step("c")]),
    "UNREACHABLE_ENTRY /steps/0/nextSteps/1",
  ],
  ["the same way twice", workflow([step("a", ["b", "b"]), step("b")]), "UNREACHABLE_ENTRY /steps/0/nextSteps/1"],
  [
    "a way after those of the config",
    workflow([
      { id: "a", type: "switch", config: { on: "input.x", cases: [{ equals: 1, to: "b" }] }, nextSteps: ["b", { to: "b", when: "true" }] },
      step("b"),
    ]),
    "UNREACHABLE_ENTRY /steps/0/nextSteps/1",
  ],
  ["status and isActive that disagree", workflow([step("a")], { status: "active", isActive: false }), "CONTRADICTION /isActive"],
  ["a trigger and triggers", workflow([step("a")], { trigger: { type: "manual" }, triggers: [] }), "CONTRADICTION /trigger"],
  [
    "a decision that counts on a fallback",
    decision({}, { policy: { onViolation: "fallback" } }),
    "DECISION_WITHOUT_FALLBACK /steps/0/config",
  ],
  [
    "a decision whose own policy counts on one",
    decision({ policy: { onLowConfidence: "fallback" } }),
    "DECISION_WITHOUT_FALLBACK /steps/0/config",
  ],
  ["a decision without options", workflow([{ id: "d", type: "decision" }]), "DECISION_WITHOUT_OPTIONS /steps/0/nextSteps"],
  [
    "a decision whose ways are all for errors",
    workflow([{ id: "d", type: "decision", nextSteps: [{ to: "a", on: "error" }] }, step("a")]),
    "DECISION_WITHOUT_OPTIONS /steps/0/nextSteps",
  ],
  ["a fallback that is no option", decision({ fallback: "yess" }), "UNKNOWN_TARGET /steps/0/config/fallback"],
  [
    "a policy with a step that is none",
    decision({}, { policy: { allowedNextSteps: ["yes", "noo"] } }),
    "UNKNOWN_TARGET /policy/allowedNextSteps/1",
  ],
  [
    "a default of another type",
    workflow([step("a")], { variables: { n: { type: "number", default: "1" } } }),
    "DEFAULT_TYPE_MISMATCH /variables/n/default",
  ],
  [
    "a list for an object",
    workflow([step("a")], { variables: { n: { type: "object", default: [] } } }),
    "DEFAULT_TYPE_MISMATCH /variables/n/default",
  ],
  [
    "a reducer of another type",
    workflow([step("a")], { variables: { n: { type: "string", reducer: "sum" } } }),
    "REDUCER_TYPE_MISMATCH /variables/n/reducer",
  ],
  ["one id twice", workflow([step("a", ["b"]), step("b"), step("b")]), "DUPLICATE_STEP_ID /steps/2/id"],
  ["ids that differ by case", workflow([step("pay", ["Pay"]), step("Pay")]), "DUPLICATE_STEP_ID /steps/1/id"],
  [
    "two triggers of one id",
    workflow([step("a")], { triggers: [{ type: "manual" }, { type: "manual" }] }),
    "DUPLICATE_TRIGGER_ID /triggers/1/id",
  ],
  ["a trigger of no type", triggered({ type: "shedule" }), "UNKNOWN_TRIGGER_TYPE /triggers/0/type"],
  [
    "a trigger's config that is missing something",
    triggered({ type: "schedule", config: { cron: "0 3 * * *" } }),
    "INVALID_CONFIG /triggers/0/config/timezone",
  ],
  [
    "a schedule that is no cron expression",
    triggered({ type: "schedule", config: { cron: "61 * * * *", timezone: "UTC" } }),
    "INVALID_CONFIG /triggers/0/config/cron",
  ],
  [
    "a schedule with a year",
    triggered({ type: "schedule", config: { cron: "0 0 3 * * * 2027", timezone: "UTC" } }),
    "INVALID_CONFIG /triggers/0/config/cron",
  ],
  [
    "a schedule that is an instant",
    triggered({ type: "schedule", config: { cron: "2027-01-01T00:00:00", timezone: "UTC" } }),
    "INVALID_CONFIG /triggers/0/config/cron",
  ],
  [
    "a schedule that never fires",
    triggered({ type: "schedule", config: { cron: "0 0 31 2 *", timezone: "UTC" } }),
    "INVALID_CONFIG /triggers/0/config/cron",
  ],
  [
    "a schedule in no time zone",
    triggered({ type: "schedule", config: { cron: "@daily", timezone: "Europe/Atlantis" } }),
    "INVALID_CONFIG /triggers/0/config/timezone",
  ],
  [
    "a webhook with a secret in the definition",
    triggered({ type: "webhook", config: { path: "a", auth: { type: "bearer", secrets: ["hunter2"] } } }),
    "INVALID_CONFIG /triggers/0/config/auth/secrets/0",
  ],
  [
    "a trigger's schema that is none",
    triggered({ type: "event", config: { eventType: "x", schema: { type: "text" } } }),
    "INVALID_SCHEMA /triggers/0/config/schema/type",
  ],
  [
    "a trigger's expressions",
    triggered({ condition: "event.data.", dedupeKey: "input.x", input: { a: "${ event.data.a" } }),
    "INVALID_EXPRESSION /triggers/0/condition",
    "UNKNOWN_NAME /triggers/0/dedupeKey",
    "INVALID_EXPRESSION /triggers/0/input/a",
  ],
  ["a trigger's condition that is a number", triggered({ condition: "1 + 1" }), "TYPE_MISMATCH /triggers/0/condition"],
  ["goto without a target", workflow([step("a", [], { onError: { action: "goto" } })]), "ERROR_POLICY_TARGET /steps/0/onError"],
  ["goto to nowhere", workflow([step("a")], { onError: { action: "goto", goto: "b" } }), "ERROR_POLICY_TARGET /onError/goto"],
  [
    "a target without goto",
    workflow([step("a", [], { onError: { action: "fail", goto: "a" } })]),
    "ERROR_POLICY_TARGET /steps/0/onError/goto",
  ],
  ["a config field of the wrong type", careful({ count: "many" }), "INVALID_CONFIG /steps/0/config/count"],
  ["a config field that does not exist", careful({ counts: 1 }), "INVALID_CONFIG /steps/0/config/counts"],
  ["a config field inside a union", careful({ either: { at: "x" } }), "INVALID_CONFIG /steps/0/config/either/at"],
  [
    "a config that fits none of two alternatives",
    careful({ choice: { at: "x", from: "${ input.y }" } }),
    "INVALID_CONFIG /steps/0/config/choice",
  ],
  ["a config that is missing something", workflow([{ id: "a", type: "transform" }]), "INVALID_CONFIG /steps/0/config/set"],
  ["what a step type finds itself", careful({ forbidden: true }), "OUT_OF_RANGE /steps/0/config/forbidden"],
  ["a condition that is no CEL", workflow([step("a", [], { conditions: ["true", "1 +"] })]), "INVALID_EXPRESSION /steps/0/conditions/1"],
  [
    "a bare expression of a config that is no CEL",
    careful({ rules: [{ when: "true" }, { when: "(" }] }),
    "INVALID_EXPRESSION /steps/0/config/rules/1/when",
  ],
  ["a template that is never closed", workflow([step("a")], { output: { x: { y: ["${ vars.a"] } } }), "INVALID_EXPRESSION /output/x/y/0"],
  [
    "an expression that is refused",
    workflow([step("a", [], { output: { x: "${ output.a.matches('x') }" } })]),
    "INVALID_EXPRESSION /steps/0/output/x",
  ],
  [
    "an input schema that is none",
    workflow([step("a")], { input: { type: "object", properties: { a: { type: "strin" } } } }),
    "INVALID_SCHEMA /input/properties/a/type",
  ],
  [
    "an input schema with a pattern RE2 does not take",
    workflow([step("a")], { input: { properties: { a: { pattern: "(?=x)" } } } }),
    "INVALID_SCHEMA /input",
  ],
  [
    "an input schema on another machine",
    workflow([step("a")], { input: { $ref: "https://example.com/schema.json" } }),
    "INVALID_SCHEMA /input",
  ],
  ["a status that is none", workflow([step("a")], { status: "live" }), "INVALID_VALUE /status"],
  ["a step id that is none", workflow([step("1a")]), "INVALID_VALUE /steps/0/id"],
  ["a number that is not JSON", workflow([step("a", [], { position: { x: Number.NaN, y: 0 } })]), "INVALID_VALUE /steps/0/position/x"],
  [
    "a branch that ends before its join",
    workflow(split(["a", "b"], "j", step("a", ["j"]), step("b"), step("j"))),
    "JOIN_MISSING /steps/2/nextSteps",
  ],
  [
    "a branch that goes round and never joins",
    workflow(split(["a", "b"], "j", step("a", ["j"]), step("b", ["c"]), step("c", ["b"]), step("j"))),
    "JOIN_MISSING /steps/0/config/join",
    "NO_END /steps/2",
  ],
  [
    "a branch without a step",
    workflow(split(["a", "j"], "j", step("a", ["j"]), step("j"))),
    "EMPTY_BRANCH /steps/0/config/branches/1/name",
  ],
  [
    "rounds at once that write one variable",
    workflow([
      { id: "each", type: "loop", config: { loopType: "count", count: 3, maxIterations: 3, body: "a", concurrency: 2 } },
      step("a", [], { output: { last: 1 } }),
    ]),
    "WRITE_CONFLICT /steps/1/output/last",
  ],
  ["no name", { steps: [step("a")] }, "MISSING_FIELD /name"],
  ["a cycle without an end", workflow([step("a", ["b"]), step("b", ["a"])]), "NO_END /steps"],
  ["a trap", workflow([step("a", [{ to: "b", when: "input.x" }, "c"]), step("b", ["b"]), step("c")]), "NO_END /steps/1"],
  ["an end as the first step", workflow([{ id: "e", type: "end" }, step("a", ["e"])]), "NO_START /steps/0"],
  ["a join as the first step", workflow([step("j"), ...split(["a"], "j", step("a", ["j"]))]), "NO_START /steps/0"],
  ["a name that is too long", workflow([step("a")], { name: "x".repeat(256) }), "OUT_OF_RANGE /name"],
  [
    "a branch that leads outside",
    workflow(split(["a", "b"], "j", step("a", ["j"]), step("b", ["k"]), step("j", ["k"]), step("k"))),
    "REGION_LEAK /steps/2/nextSteps/0/to",
  ],
  [
    "a branch that leads into another",
    workflow(split(["a", "b"], "j", step("a", ["j"]), step("b", ["a"]), step("j"))),
    "REGION_LEAK /steps/2/nextSteps/0/to",
  ],
  [
    "a way into a branch from outside",
    workflow([step("s", [{ to: "c", when: "input.x" }, "split"]), ...split(["a"], "j", step("a", ["c"]), step("c", ["j"]), step("j"))]),
    "REGION_LEAK /steps/2/nextSteps/0/to",
  ],
  [
    "a failing branch that is handled outside",
    workflow(split(["a"], "j", step("a", ["j"], { onError: { action: "goto", goto: "j2" } }), step("j", ["j2"]), step("j2"))),
    "REGION_LEAK /steps/1/onError/goto",
  ],
  ["a step called toString", workflow([step("toString")]), "RESERVED_NAME /steps/0/id"],
  ["a step called in", workflow([step("in")]), "RESERVED_NAME /steps/0/id"],
  ["a variable called constructor", workflow([step("a")], { variables: { constructor: {} } }), "RESERVED_NAME /variables/constructor"],
  [
    "two start steps",
    workflow([{ id: "a", type: "start", nextSteps: ["c"] }, { id: "b", type: "start", nextSteps: ["c"] }, step("c")]),
    "SEVERAL_STARTS /steps/1/type",
  ],
  ["65 levels", workflow([step("a", [], { config: { set: nested(70) } })]), `TOO_LARGE /steps/0/config/set${"/a".repeat(61)}`],
  ["more than 512 KiB", workflow([step("a", [], { config: { set: { text: "x".repeat(MAX_DEFINITION_BYTES) } } })]), "TOO_LARGE "],
  [
    "a condition that is a number",
    workflow([step("a", [{ to: "b", when: "vars.n" }, "b"]), step("b")], { variables: { n: { type: "number" } } }),
    "TYPE_MISMATCH /steps/0/nextSteps/0/when",
  ],
  ["a condition that is a text", workflow([step("a", [], { conditions: ["'yes'"] })]), "TYPE_MISMATCH /steps/0/conditions/0"],
  ["a rule that is a text", careful({ rules: [{ when: "'yes'" }] }), "TYPE_MISMATCH /steps/0/config/rules/0/when"],
  [
    "a text compared with a number",
    workflow([step("a", [], { config: { set: { x: "${ vars.s > 1 }" } } })], { variables: { s: { type: "string" } } }),
    "TYPE_MISMATCH /steps/0/config/set/x",
  ],
  [
    "a text of the input compared with a number",
    workflow([step("a", [], { conditions: ["input.s > 1"] })], { input: { type: "object", properties: { s: { type: "string" } } } }),
    "TYPE_MISMATCH /steps/0/conditions/0",
  ],
  ["a step that undoes itself", workflow([step("a", [], { compensate: "a" })]), "UNKNOWN_COMPENSATION /steps/0/compensate"],
  ["an undoing step that does not exist", workflow([step("a", [], { compensate: "b" })]), "UNKNOWN_COMPENSATION /steps/0/compensate"],
  ["a field that does not exist", workflow([step("a", [], { nextStep: "b" })]), "UNKNOWN_FIELD /steps/0/nextStep"],
  [
    "a name that does not exist",
    workflow([step("a", [], { config: { set: { x: "a ${ inptu.x } b" } } })]),
    "UNKNOWN_NAME /steps/0/config/set/x",
  ],
  ["output before there is one", workflow([step("a", [], { conditions: ["output.x"] })]), "UNKNOWN_NAME /steps/0/conditions/0"],
  [
    "an error where there is none",
    workflow([step("a", [{ to: "b", when: "error.code == 'X'" }, "b"]), step("b")]),
    "UNKNOWN_NAME /steps/0/nextSteps/0/when",
  ],
  ["the input in a trigger", triggered({ condition: "input.x == 1" }), "UNKNOWN_NAME /triggers/0/condition"],
  ["an output of no step", workflow([step("a", [], { input: { x: "${ steps.b.output }" } })]), "UNKNOWN_NAME /steps/0/input/x"],
  [
    "a field the input cannot have",
    workflow([step("a", [], { conditions: ["input.order.totl > 1"] })], {
      input: {
        type: "object",
        properties: { order: { type: "object", properties: { total: { type: "number" } }, additionalProperties: false } },
      },
    }),
    "UNKNOWN_NAME /steps/0/conditions/0",
  ],
  [
    "an output by a computed id",
    workflow([step("a", [], { conditions: ["steps[input.x].output == 1"] })]),
    "UNKNOWN_NAME /steps/0/conditions/0",
  ],
  ["a step type that does not exist", workflow([step("a", [], { type: "transfrom" })]), "UNKNOWN_STEP_TYPE /steps/0/type"],
  ["a next step that does not exist", workflow([step("a", [{ to: "bb" }])]), "UNKNOWN_TARGET /steps/0/nextSteps/0/to"],
  [
    "a next step of a config that does not exist",
    workflow([{ id: "a", type: "switch", config: { on: "input.x", cases: [{ equals: 1, to: "b" }], default: "c" } }, step("b")]),
    "UNKNOWN_TARGET /steps/0/config/default",
  ],
  [
    "a branch that does not exist",
    workflow(split(["a", "x"], "j", step("a", ["j"]), step("j"))),
    "UNKNOWN_TARGET /steps/0/config/branches/1/name",
  ],
  [
    "a join that does not exist",
    workflow(split(["a"], "j", step("a"))),
    "UNKNOWN_TARGET /steps/0/config/join",
    "JOIN_MISSING /steps/1/nextSteps",
  ],
  [
    "a variable that does not exist",
    workflow([step("a", [], { conditions: ["vars.totl > 1"] })], { variables: { total: { type: "number" } } }),
    "UNKNOWN_VARIABLE /steps/0/conditions/0",
  ],
  ["a step nothing leads to", workflow([step("a"), step("b")]), "UNREACHABLE_STEP /steps/1"],
  [
    "a variable two branches write",
    workflow(
      split(
        ["a", "b"],
        "j",
        step("a", ["j"], { output: { x: "1" } }),
        step("b", ["c"]),
        step("c", ["j"], { output: { x: "2" } }),
        step("j"),
      ),
    ),
    "WRITE_CONFLICT /steps/3/output/x",
  ],
  ["a list where a text should be", workflow([step("a")], { name: [] }), "WRONG_TYPE /name"],
  ["a next step that is a number", workflow([step("a", [7])]), "WRONG_TYPE /steps/0/nextSteps/0"],
  [
    "501 problems",
    workflow([step("a")], {
      variables: Object.fromEntries(Array.from({ length: 510 }, (_, i) => [`v${i}`, { type: "number", default: "x" }])),
    }),
    ...Array.from({ length: 500 }, (_, i) => `DEFAULT_TYPE_MISMATCH /variables/v${i}/default`),
    "MORE_ISSUES ",
  ],
];

function nested(depth: number): unknown {
  return depth === 0 ? 1 : { a: nested(depth - 1) };
}
