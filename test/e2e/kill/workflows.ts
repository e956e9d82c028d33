import { createHash } from "node:crypto";
import type { JsonObject } from "../../../src/definition/json.ts";

/** What a workflow of the mix is there to show. */
export const KINDS = [
  "line",
  "prompts",
  "decisions",
  "delays",
  "approvals",
  "back-off",
  "paused",
  "cancelled",
  "failing",
  "calls",
  "branches",
  "rounds",
] as const;
export type Kind = (typeof KINDS)[number];

export const LINE_STEPS = 8;
/** Steps of a round that call outside. */
export const CALL_STEPS = ["e1", "e2"] as const;
/** Rounds of a loop that runs two at a time. */
export const LOOP_ROUNDS = 4;
export const PATHS = ["alpha", "beta", "gamma"] as const;

/** One execution the harness will start. `run` is its name in prompts, and so in the ledger of model calls. */
export interface Run {
  index: number;
  run: string;
  kind: Kind;
  workflowId: string;
  /** How often its loop goes round: long executions meet many kills. */
  rounds: number;
  /** Started once so many kills have happened. */
  afterKills: number;
}

/** What a call of a model is about, written into every prompt: `run-007/p1/1` is the first visit of step p1. */
export const CALL_KEY = /run-\d{3}\/[a-z][a-z0-9]*\/\d+/;

/** The answer of the stub to a prompt: follows from its key, so that results can be computed without having seen it. */
export function answerTo(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 8);
}

/** The definition of a run's workflow. A run of a kind with trouble has a model of its own: circuits are kept per model. */
export function definitionOf(run: Run): JsonObject {
  return { id: run.workflowId, name: run.workflowId, ...DEFINITIONS[run.kind](run) };
}

const DEFINITIONS: Record<Kind, (run: Run) => JsonObject> = {
  line: () => ({
    variables: { n: { type: "number", default: 1 } },
    output: { n: "${ vars.n }" },
    steps: chain(Array.from({ length: LINE_STEPS }, (_, index) => set(`s${index + 1}`, "n", `\${ (vars.n * 3 + ${index}) % 10007 }`))),
  }),
  prompts: ({ rounds }) => prompts(rounds),
  paused: ({ rounds }) => prompts(rounds),
  decisions: ({ rounds }) => ({
    variables: { path: { type: "string", default: "" }, round: { type: "number", default: 0 } },
    output: { path: "${ vars.path }" },
    steps: loop(rounds, [
      {
        id: "pick",
        type: "decision",
        config: {
          model: "openai:steady",
          instruction: "Choose a path.",
          inputs: { key: "${ input.run }/pick/${ vars.round }" },
          minConfidence: 0.5,
          onLowConfidence: "human",
        },
        retry: PATIENT,
        nextSteps: PATHS.map((name) => ({ to: name, label: name })),
      },
      ...PATHS.map((name) => ({ ...set(name, "path", `\${ vars.path + '${name.slice(0, 1)}' }`), nextSteps: ["again"] })),
    ]),
  }),
  delays: ({ rounds }) => ({
    variables: { n: { type: "number", default: 0 }, round: { type: "number", default: 0 } },
    output: { n: "${ vars.n }" },
    steps: loop(rounds, [
      delay("short", "100ms"),
      set("one", "n", "${ vars.n + 1 }"),
      delay("long", "300ms"),
      set("two", "n", "${ vars.n + 1 }"),
    ]),
  }),
  approvals: () => ({
    variables: { said: { type: "string", default: "" }, drafts: { type: "number", default: 0 } },
    output: { said: "${ vars.said }", drafts: "${ vars.drafts }" },
    steps: [
      { ...set("count", "drafts", "${ vars.drafts + 1 }"), nextSteps: ["draft"] },
      { ...prompt("draft", "openai:steady", "${ vars.drafts }"), retry: PATIENT, nextSteps: ["review"] },
      { ...approval("review"), nextSteps: ["sign", { to: "count", on: "rejected" }] },
      { ...approval("sign"), nextSteps: ["done", { to: "count", on: "rejected" }] },
      { id: "done", type: "end" },
    ],
  }),
  "back-off": ({ run }) => ({
    variables: { text: { type: "string", default: "" } },
    output: { text: "${ vars.text }" },
    steps: chain(
      ["p1", "p2"].map((id) => ({
        ...prompt(id, `openai:flaky-${run}`, "1"),
        retry: PATIENT,
        output: { text: "${ vars.text + output.text }" },
      })),
    ),
  }),
  cancelled: () => ({ steps: chain([set("first", "n", "${ 1 }"), delay("forever", "2h")]), variables: { n: { type: "number" } } }),
  failing: ({ run }) => ({ steps: chain([prompt("p1", `openai:broken-${run}`, "1")]) }),
  calls: ({ rounds }) => ({
    variables: { text: { type: "string", default: "" }, round: { type: "number", default: 0 } },
    output: { text: "${ vars.text }" },
    steps: loop(
      rounds,
      CALL_STEPS.map((id) => ({ ...effect(id, "${ vars.round }"), output: { text: "${ vars.text + output.answer }" } })),
    ),
  }),
  branches: () => ({
    output: { results: "${ steps.all.output.results }" },
    steps: [
      {
        id: "all",
        type: "parallel",
        config: {
          branches: [
            { name: "one", start: "e1" },
            { name: "two", start: "rest" },
            { name: "three", start: "n" },
          ],
          join: "joined",
        },
      },
      { ...effect("e1", "1"), nextSteps: ["joined"] },
      { ...delay("rest", "200ms"), nextSteps: ["e2"] },
      { ...effect("e2", "1"), nextSteps: ["joined"] },
      { id: "n", type: "transform", config: { set: { n: "${ 3 }" } }, nextSteps: ["joined"] },
      { id: "joined", type: "merge", config: { of: "${ steps.all.output.results }" } },
    ],
  }),
  rounds: () => ({
    output: { answers: "${ steps.each.output.results }" },
    steps: [
      {
        id: "each",
        type: "loop",
        config: { loopType: "count", count: LOOP_ROUNDS, maxIterations: LOOP_ROUNDS, concurrency: 2, body: "e1" },
        nextSteps: ["done"],
      },
      effect("e1", "${ index + 1 }"),
      { id: "done", type: "end" },
    ],
  }),
};

/** As anybody asks somebody outside: a process that was stopped finds its connections closed when it wakes up. */
const PATIENT = { maxAttempts: 50, delay: "80ms", multiplier: 2, maxDelay: "400ms" };

function prompts(rounds: number): JsonObject {
  const ask = (id: string): Step => ({
    ...prompt(id, "openai:steady", "${ vars.round }"),
    retry: PATIENT,
    output: { text: "${ vars.text + output.text }" },
  });
  return {
    variables: { text: { type: "string", default: "" }, n: { type: "number", default: 0 }, round: { type: "number", default: 0 } },
    output: { text: "${ vars.text }", n: "${ vars.n }" },
    steps: loop(rounds, [ask("p1"), set("note", "n", "${ vars.n + 1 }"), ask("p2")]),
  };
}

type Step = JsonObject & { id: string };

function chain(steps: Step[]): JsonObject[] {
  return steps.map((step, index) => ({ ...step, nextSteps: steps.slice(index + 1, index + 2).map(({ id }) => id) }));
}

/** Counts a round, goes through the steps, and again, until it did so `rounds` times. */
function loop(rounds: number, body: Step[]): JsonObject[] {
  const [count, ...steps] = chain([set("count", "round", "${ vars.round + 1 }"), ...body]);
  return [
    { ...count },
    // A step that names its own ways keeps them.
    ...steps.map((step, index) => ({
      ...step,
      nextSteps: body[index]?.["nextSteps"] ?? (index === steps.length - 1 ? ["again"] : (step["nextSteps"] ?? [])),
    })),
    { id: "again", type: "condition", config: { condition: `vars.round < ${rounds}`, truePath: "count", falsePath: "done" } },
    { id: "done", type: "end" },
  ];
}

function set(id: string, name: string, value: string): Step {
  return { id, type: "transform", config: { set: { [name]: value } }, output: { [name]: `\${ output.${name} }` } };
}

function prompt(id: string, model: string, visit: string): Step {
  return { id, type: "prompt", config: { model, prompt: `\${ input.run }/${id}/${visit}` } };
}

/** A call outside that a receiver answers, most of the time. */
function effect(id: string, number: string): Step {
  return { id, type: "effect", config: { key: `\${ input.run }/${id}/${number}` }, retry: PATIENT };
}

function delay(id: string, length: string): Step {
  return { id, type: "delay", config: { for: length } };
}

function approval(id: string): Step {
  return { id, type: "approval", config: { title: `${id} \${ input.run }` }, output: { said: "${ vars.said + output.reason + ' ' }" } };
}
