import type { Json, JsonObject } from "../../../src/definition/json.ts";
import type { Evidence } from "./evidence.ts";
import { answerTo, CALL_STEPS, LINE_STEPS, LOOP_ROUNDS, type Kind, type Run } from "./workflows.ts";

/** How an execution must have ended: computed here, from what the harness said and the model answered. */
export interface Expectation {
  status: "COMPLETED" | "FAILED" | "CANCELLED";
  output?: JsonObject;
  errorCode?: string;
}

export function expectationOf(evidence: Evidence): Expectation {
  const { run } = evidence.started;
  return EXPECTED[run.kind](run, evidence);
}

const prompts = ({ run, rounds }: Run): JsonObject => {
  const asked = Array.from({ length: rounds }, (_, index) => ["p1", "p2"].map((id) => answerTo(`${run}/${id}/${index + 1}`)).join(""));
  return { text: asked.join(""), n: rounds };
};

const EXPECTED: Record<Kind, (run: Run, evidence: Evidence) => Expectation> = {
  line: () => ({
    status: "COMPLETED",
    output: { n: Array.from({ length: LINE_STEPS }).reduce<number>((n, _, index) => (n * 3 + index) % 10_007, 1) },
  }),
  prompts: (run) => ({ status: "COMPLETED", output: prompts(run) }),
  paused: (run) => ({ status: "COMPLETED", output: prompts(run) }),
  // The path is what was recorded; that the records are what the model said is a check of its own.
  decisions: ({ rounds }, { decisions }) => {
    const chosen = decisions.filter(({ selected }) => selected !== null).toSorted((left, right) => left.visit - right.visit);
    const path = chosen.map(({ selected }) => (selected ?? "-").slice(0, 1));
    return { status: "COMPLETED", output: { path: path.slice(0, rounds).join("") } };
  },
  delays: ({ rounds }) => ({ status: "COMPLETED", output: { n: rounds * 2 } }),
  approvals: (_run, { approvals }) => {
    const inOrder = approvals.toSorted((left, right) => byText(left["decidedAt"], right["decidedAt"]));
    const drafts = 1 + approvals.filter(({ status }) => status === "REJECTED").length;
    return { status: "COMPLETED", output: { said: inOrder.map(({ reason }) => `${String(reason)} `).join(""), drafts } };
  },
  "back-off": ({ run }) => ({ status: "COMPLETED", output: { text: `${answerTo(`${run}/p1/1`)}${answerTo(`${run}/p2/1`)}` } }),
  cancelled: () => ({ status: "CANCELLED", errorCode: "CANCELLED" }),
  failing: () => ({ status: "FAILED", errorCode: "MODEL_FAILED" }),
  calls: (run) => ({ status: "COMPLETED", output: { text: effectsOf(run).map(answerTo).join("") } }),
  branches({ run }) {
    const results = { one: { answer: answerTo(`${run}/e1/1`) }, two: { answer: answerTo(`${run}/e2/1`) }, three: { n: 3 } };
    return { status: "COMPLETED", output: { results } };
  },
  rounds: (run) => ({ status: "COMPLETED", output: { answers: effectsOf(run).map((effect) => ({ answer: answerTo(effect) })) } }),
};

/** The calls a run makes outside, in order. */
export function effectsOf({ kind, run, rounds }: Run): string[] {
  if (kind === "branches") return CALL_STEPS.map((id) => `${run}/${id}/1`);
  if (kind === "rounds") return Array.from({ length: LOOP_ROUNDS }, (_, index) => `${run}/e1/${index + 1}`);
  if (kind !== "calls") return [];
  return Array.from({ length: rounds }, (_, index) => CALL_STEPS.map((id) => `${run}/${id}/${index + 1}`)).flat();
}

function byText(left: Json | undefined, right: Json | undefined): number {
  return String(left) < String(right) ? -1 : 1;
}
