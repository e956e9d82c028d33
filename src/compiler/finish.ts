import type { Scope } from "../definition/expression.ts";
import type { ExecutionError } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { ErrorPolicy, Outcome } from "../definition/step.ts";
import { SignalboxError, toSignalboxError, type ErrorCode } from "../errors.ts";
import { stepEvent } from "./events.ts";
import { beginCompensation, COMPENSATE_NODE } from "./compensation.ts";
import { SECRET } from "./context.ts";
import type { Parking } from "./host.ts";
import { remembered } from "./memory.ts";
import { firstRoute, openRoutes } from "./route.ts";
import { createScope } from "./scope.ts";
import { mergeVariables, type Slot } from "./state.ts";
import type { Visit, VisitEnd } from "./visit.ts";
import { recordVisit, type Work } from "./work.ts";

/** Errors that end the execution whatever its policies say: handling them would be a step more. */
const FATAL: ReadonlySet<ErrorCode> = new Set(["MAX_STEPS_EXCEEDED", "MAX_DURATION_EXCEEDED"]);

export function isFatal({ code }: ExecutionError): boolean {
  return FATAL.has(code as ErrorCode);
}

/** A finished visit: the work with it and where to go. `handled`: it failed, and a route or policy took care. */
export interface Finished {
  work: Work;
  next: string | null;
  handled: boolean;
}

export interface Failed {
  failure: NonNullable<Parking["failure"]>;
}

/** Maps the outputs, picks the way out and records the visit, or says that the execution fails here. */
export async function finishVisit(
  visit: Visit,
  work: Work,
  end: Exclude<VisitEnd, { kind: "wait" | "split" }>,
): Promise<Finished | Failed> {
  if (end.kind === "failed") return await handleFailure(visit, work, end.error);
  try {
    return await complete(visit, work, end);
  } catch (thrown) {
    return await handleFailure(visit, work, toSignalboxError(thrown));
  }
}

async function complete(visit: Visit, work: Work, end: Extract<VisitEnd, { kind: "done" }>): Promise<Finished> {
  const { plan, place } = visit;
  const scope: Scope = { ...visit.scope, output: end.output };
  const mapped = end.outcome === "skipped" ? [] : plan.output.map(([name, value]): [string, Json] => [name, value.evaluate(scope)]);
  const after = withResults(visit, scope, end, mapped);
  const next = chooseNext(visit, after, end);
  const values = [...work.staged.values];
  const memory = end.remember && remembered(visit, end.remember, values);
  const variables = [...mapped, ...(memory?.variables ?? [])];
  const recorded = recordVisit(
    { ...work, staged: { ...work.staged, values } },
    { stepId: place.stepId, path: place.path, visit: place.visit, outcome: end.outcome, output: end.output, variables },
    variablesOf(visit),
  );
  if (memory?.append) recorded.staged.memories = [...(recorded.staged.memories ?? []), memory.append];
  await setEnd(visit, recorded, next);
  if (end.starts) recorded.staged.starts = [...(recorded.staged.starts ?? []), ...end.starts];
  if (plan.step.compensate !== undefined && end.outcome === "success") {
    const output = recorded.state._steps[place.stepId]?.o ?? { v: null };
    const entry = { stepId: place.stepId, path: place.path, visit: place.visit, output };
    recorded.staged.compensable = [...(recorded.staged.compensable ?? []), entry];
  }
  const type = end.outcome === "skipped" ? "step.skipped" : "step.completed";
  const data = { type: plan.type.type, outcome: end.outcome, next, ...visibleResults(visit, recorded, mapped) };
  recorded.staged.events.push(stepEvent(visit, type, summaryOf(visit, end.outcome, next), data));
  return { work: recorded, next, handled: false };
}

/** The order of issue and design: a way `on: error|timeout`, the step's policy, the workflow's policy, failure. */
async function handleFailure(visit: Visit, work: Work, error: SignalboxError): Promise<Finished | Failed> {
  const failure: ExecutionError = {
    code: error.code,
    message: error.message,
    stepId: visit.place.stepId,
    visit: visit.place.visit,
    path: error.issues[0]?.pointer ?? null,
    retryable: error.retryable,
  };
  const fail = (cause: ExecutionError, pause: boolean): Failed => {
    visit.staged.events.push(
      stepEvent(visit, "step.failed", `${visit.plan.step.name} failed: ${cause.message}`, {
        ...cause,
        type: visit.plan.type.type,
        details: detailsOf(error),
        handled: pause ? "pause" : "fail",
        next: null,
      }),
    );
    return { failure: { error: cause, pause } };
  };
  if (FATAL.has(error.code)) return fail(failure, false);
  const outcome: Outcome = error.code === "STEP_TIMEOUT" || error.code === "WAIT_EXPIRED" ? "timeout" : "error";
  const scope: Scope = {
    ...visit.scope,
    output: null,
    error: { code: error.code, message: error.message, stepId: visit.place.stepId, details: detailsOf(error) },
  };
  try {
    const route = firstRoute(visit.plan, scope, outcome);
    if (route) return await handled(visit, work, failure, { handled: "route", outcome, next: route.to, output: null });
    const policy = visit.plan.step.onError ?? workflowPolicy(visit);
    if (policy?.action === "pause") return fail(failure, true);
    const done = policy && (await byPolicy(visit, work, { policy, failure, outcome, scope }));
    if (done) return done;
  } catch (thrown) {
    const second = toSignalboxError(thrown);
    return fail({ ...failure, code: second.code, message: second.message }, false);
  }
  return fail(failure, false);
}

interface PolicyCase {
  policy: ErrorPolicy;
  failure: ExecutionError;
  outcome: Outcome;
  scope: Scope;
}

/** What a policy makes of a failure; undefined where it lets the execution fail. */
async function byPolicy(visit: Visit, work: Work, { policy, failure, outcome, scope }: PolicyCase): Promise<Finished | undefined> {
  if (policy.action === "goto" && policy.goto !== undefined) {
    return await handled(visit, work, failure, { handled: "goto", outcome, next: policy.goto, output: null });
  }
  if (policy.action === "compensate" && visit.place.branch === null) {
    return await handled(visit, beginCompensation(work, failure), failure, {
      handled: "compensate",
      outcome,
      next: COMPENSATE_NODE,
      output: null,
    });
  }
  if (policy.action !== "continue") return undefined;
  const value = policy.value ?? null;
  const next = firstRoute(visit.plan, { ...scope, output: value }, "success");
  return next === undefined
    ? undefined
    : await handled(visit, work, failure, { handled: "continue", outcome: "success", next: next?.to ?? null, output: value });
}

async function handled(
  visit: Visit,
  work: Work,
  failure: ExecutionError,
  how: { handled: string; outcome: Outcome; next: string | null; output: Json },
): Promise<Finished> {
  const { place } = visit;
  const recorded = recordVisit(
    work,
    { stepId: place.stepId, path: place.path, visit: place.visit, outcome: how.outcome, output: how.output, variables: [] },
    variablesOf(visit),
  );
  await setEnd(visit, recorded, how.next);
  recorded.staged.events.push(
    stepEvent(
      visit,
      "step.failed",
      `${visit.plan.step.name} failed: ${failure.message} Goes on ${how.next === null ? "to the end" : `to ${how.next}`}.`,
      {
        ...failure,
        type: visit.plan.type.type,
        handled: how.handled,
        next: how.next,
        output: how.output,
      },
    ),
  );
  return { work: recorded, next: how.next, handled: true };
}

/** Inside a region the region comes before the workflow; what nobody there takes care of is paused where it is, if that is the policy. */
function workflowPolicy({ workflow, place }: Visit): ErrorPolicy | undefined {
  const policy = workflow.definition.onError;
  return place.branch === null || policy?.action === "pause" ? policy : undefined;
}

function chooseNext(visit: Visit, scope: Scope, end: Extract<VisitEnd, { kind: "done" }>): string | null {
  if (end.goto !== undefined) {
    if (openRoutes(visit.plan, scope, "success").open.some(({ to }) => to === end.goto)) return end.goto;
    throw new SignalboxError("NO_ROUTE", `Step "${visit.place.stepId}" chose "${end.goto}", which is not open now.`);
  }
  const route = firstRoute(visit.plan, scope, end.outcome);
  if (route !== undefined) return route?.to ?? null;
  if (end.outcome === "rejected") throw new SignalboxError("STEP_REJECTED");
  if (end.outcome === "timeout") throw new SignalboxError("WAIT_EXPIRED");
  throw new SignalboxError("NO_ROUTE", `No next step of "${visit.place.stepId}" applies after ${end.outcome}.`);
}

/** The scope with this visit in it: `when` sees the new variables and the output. */
function withResults(visit: Visit, scope: Scope, end: Extract<VisitEnd, { kind: "done" }>, mapped: [string, Json][]): Scope {
  const inline = (values: Iterable<[string, Json]>): Record<string, Slot> =>
    Object.fromEntries([...values].map(([name, v]) => [name, { v }]));
  // Scopes are built from JSON alone, see scope.ts.
  const { vars, steps } = scope as { vars: JsonObject; steps: JsonObject };
  const merged = mapped.length === 0 ? undefined : mergeVariables(variablesOf(visit), inline(Object.entries(vars)), inline(mapped));
  const newVars =
    merged === undefined ? vars : Object.fromEntries(Object.entries(merged).map(([name, slot]) => [name, "v" in slot ? slot.v : null]));
  const { stepId, visit: visits } = visit.place;
  const newSteps = visit.plan.reads.has(stepId) ? { ...steps, [stepId]: { output: end.output, outcome: end.outcome, visits } } : steps;
  return { ...scope, vars: newVars, steps: newSteps };
}

/** At the root, no way on is the end of the workflow: its output belongs to the same commit. */
async function setEnd(visit: Visit, work: Work, next: string | null): Promise<void> {
  if (next !== null || visit.place.branch !== null) return;
  const { workflow, host } = visit;
  const scope = await createScope(
    host,
    work.state,
    workflow.outputReads,
    new Map(work.staged.values.map(({ ref, value }) => [ref, value])),
  );
  work.staged.end = { output: Object.fromEntries(workflow.output.map(([name, template]) => [name, template.evaluate(scope)])) };
}

function visibleResults(visit: Visit, work: Work, mapped: [string, Json][]): JsonObject {
  const output = work.state._steps[visit.place.stepId]?.o ?? { v: null };
  const variables = variablesOf(visit);
  const set: JsonObject = {};
  const setRefs: JsonObject = {};
  for (const [name] of mapped) {
    const slot = work.state._vars[name] ?? { v: null };
    if (variables[name]?.secret) set[name] = SECRET;
    else if ("v" in slot) set[name] = slot.v;
    else setRefs[name] = slot.r;
  }
  return {
    ...("v" in output ? { output: output.v } : { outputRef: output.r }),
    ...(mapped.length > 0 ? { set } : {}),
    ...(Object.keys(setRefs).length > 0 ? { setRefs } : {}),
  };
}

function summaryOf(visit: Visit, outcome: Outcome, next: string | null): string {
  const word = { success: "completed", skipped: "skipped", rejected: "rejected", timeout: "ran out of time", error: "failed" }[outcome];
  return `${visit.plan.step.name} ${word}${next === null ? "." : `, next is ${next}.`}`;
}

function variablesOf(visit: Visit) {
  return visit.workflow.definition.variables;
}

function detailsOf(error: SignalboxError): JsonObject {
  // Details are small printable facts by contract; JSON drops whatever is not.
  return JSON.parse(JSON.stringify(error.details)) as JsonObject;
}
