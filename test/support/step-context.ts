import { MemorySaver } from "@langchain/langgraph";
import { parseExpression } from "../../src/definition/expression.ts";
import type { Decision } from "../../src/definition/decision.ts";
import type { Json, JsonObject } from "../../src/definition/json.ts";
import { StepInput, type NextStep, type Step } from "../../src/definition/step.ts";
import type { StepContext } from "../../src/steps/step.ts";
import { createModels } from "../../src/ai/models.ts";

export interface StepContextOptions<C> extends Partial<Omit<StepContext<C>, "config" | "step" | "decisions">> {
  config: C;
  step?: Partial<Step>;
  nextSteps?: (string | NextStep)[];
  /** What expressions see; `input` and `vars` are what prompts see as well. */
  scope?: JsonObject;
  /** The record a visit before this one left. */
  recorded?: Decision | undefined;
}

/** A step's context as a literal object, with everything the step does to the outside kept for the test to look at. */
export interface TestStepContext<C> extends StepContext<C> {
  events: Parameters<StepContext["event"]>[0][];
  published: Parameters<StepContext["publish"]>[0][];
  records: Decision[];
  logs: string[];
}

/** Builds the context of one attempt; anything of it can be given. */
export function stepContext<C>(options: StepContextOptions<C>): TestStepContext<C> {
  const { config, step: stepFields, nextSteps = [], scope = {}, recorded, ...given } = options;
  const parsed = StepInput.parse({ id: "route", type: "test", ...stepFields, nextSteps });
  const step: Step = {
    ...parsed,
    name: parsed.name ?? parsed.id,
    nextSteps: parsed.nextSteps.map((next) => (typeof next === "string" ? { to: next } : next)),
  };
  const executionId = given.executionId ?? "execution-1";
  const evaluate = (expression: string, extra: JsonObject = {}): Json => parseExpression(expression).evaluate({ ...scope, ...extra });
  const models = createModels();
  const events: TestStepContext<C>["events"] = [];
  const records: Decision[] = [];
  const logs: string[] = [];
  const published: TestStepContext<C>["published"] = [];
  return {
    config,
    input: scope["input"] ?? {},
    step,
    executionId,
    workflowId: "workflow-1",
    workflowVersion: 1,
    tenant: "default",
    path: step.id,
    visit: 1,
    attempt: 1,
    idempotencyKey: `${executionId}/${step.id}/1`,
    signal: new AbortController().signal,
    now: () => Date.now(),
    evaluate,
    routes(outcome) {
      const routes = step.nextSteps.filter(({ on }) => (on ?? "success") === outcome);
      const isOpen = ({ when }: NextStep) => when === undefined || evaluate(when) === true;
      const closed = routes.filter((next) => !isOpen(next)).map((next) => ({ next, reason: `condition is false: ${next.when}` }));
      return { open: routes.filter(isOpen), closed };
    },
    state: () => ({ input: scope["input"] ?? {}, vars: scope["vars"] ?? {}, steps: scope["steps"] ?? {} }),
    policy: undefined,
    models: { complete: (request) => models.complete(request) },
    recall: () => Promise.resolve([]),
    thread: {
      checkpointer: new MemorySaver(),
      leaving: new AbortController().signal,
      keep: (value) => ({ v: value }),
      read: (kept) => Promise.resolve(kept.map((slot) => ("v" in slot ? slot.v : null))),
    },
    children: {
      prepare: () => Promise.reject(new Error("this test gave no children")),
      outputOf: () => Promise.reject(new Error("this test gave no children")),
    },
    openCallback: () => Promise.reject(new Error("this test gave no callback")),
    fetch: () => Promise.reject(new Error("this test gave no fetch")),
    decisions: {
      recorded: () => Promise.resolve(recorded),
      record(decision) {
        records.push(decision);
        return Promise.resolve();
      },
    },
    event: (draft) => void events.push(draft),
    log: (message) => void logs.push(message),
    ...given,
    events,
    records,
    publish: (event) => void published.push(event),
    published,
    logs,
  };
}
