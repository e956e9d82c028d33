import { isGraphBubbleUp } from "@langchain/langgraph";
import type { Scope } from "../definition/expression.ts";
import type { NewExecution } from "../definition/execution.ts";
import { toJson, type Json } from "../definition/json.ts";
import type { Outcome } from "../definition/step.ts";
import type { Wait } from "../definition/wait.ts";
import { SignalboxError, toSignalboxError, traceOf } from "../errors.ts";
import type { Remember, Split, StepResult, WaitRequest } from "../steps/step.ts";
import { askWhatHappened, isOnce, isUnknown, mayHaveHappened, settledEffect } from "./effect.ts";
import { stepContext } from "./context.ts";
import { stepEvent } from "./events.ts";
import type { StepHost, StepPlace, Staged } from "./host.ts";
import type { StepPlan, WorkflowPlan } from "./plan.ts";
import type { Slot } from "./state.ts";
import { nextBackoffMs, PARKED_BACKOFF_MS } from "./retry.ts";

/** Steps an execution may take where the definition says nothing. */
const DEFAULT_MAX_STEPS = 1_000;

/** How a visit ended, before routing. */
export type VisitEnd =
  | {
      kind: "done";
      outcome: Outcome;
      output: Json;
      goto?: string | undefined;
      starts?: NewExecution[] | undefined;
      remember?: Remember | undefined;
    }
  | { kind: "failed"; error: SignalboxError }
  | { kind: "wait"; request: WaitRequest }
  | { kind: "split"; split: Split };

export interface Visit {
  workflow: WorkflowPlan;
  plan: StepPlan;
  host: StepHost;
  scope: Scope;
  /** The variables of the state, those included that no expression can name. */
  variables: Readonly<Record<string, Slot>>;
  place: StepPlace;
  /** The wait this visit was parked on, answered. */
  wait: Wait | undefined;
  /** Aborted when the execution is, or the region this is in. */
  signal: AbortSignal;
  staged: Staged;
}

/** What a wait keeps: the step's own state, or a retry that was parked. */
export type ParkedState = { step: Json } | { retry: true };

/** Runs one visit of a step: conditions, attempts with retry, result. Never throws a business error. */
export async function runVisit(visit: Visit): Promise<VisitEnd> {
  const { plan, wait, scope } = visit;
  try {
    if (!wait) checkLimits(visit);
    if (!wait && !plan.conditions.every((condition) => condition.evaluate(scope) === true)) {
      return { kind: "done", outcome: "skipped", output: null };
    }
    if (wait?.kind === "failure" && wait.answer?.data["mode"] === "skip") {
      return { kind: "done", outcome: "success", output: wait.answer.data["output"] ?? null };
    }
    if (isUnknown(visit)) return { kind: "wait", request: askWhatHappened(visit, "The worker died while the step was at work.") };
    const settled = settledEffect(visit);
    if (settled) return settled;
  } catch (thrown) {
    return { kind: "failed", error: stepError(thrown, visit) };
  }
  return runAttempts(visit);
}

function checkLimits({ workflow, plan, host, place }: Visit): void {
  const { maxSteps = DEFAULT_MAX_STEPS } = workflow.definition.limits ?? {};
  if (host.stepsEntered > maxSteps) {
    throw new SignalboxError("MAX_STEPS_EXCEEDED", `The execution took ${maxSteps} steps.`, { details: { maxSteps } });
  }
  const { maxVisits } = plan.step;
  if (maxVisits !== undefined && place.visit > maxVisits) {
    throw new SignalboxError("MAX_VISITS_EXCEEDED", `Step "${place.stepId}" was entered ${maxVisits} times.`, { details: { maxVisits } });
  }
}

async function runAttempts(visit: Visit): Promise<VisitEnd> {
  const { plan, host } = visit;
  for (;;) {
    try {
      const result = await runAttempt(visit);
      if (result.kind === "wait") return { kind: "wait", request: result.wait };
      if (result.kind === "split") return { kind: "split", split: result.split };
      const { outcome = "success", output = null, goto, starts, remember } = result;
      return { kind: "done", outcome, output: toJson(output), goto, starts, remember };
    } catch (thrown) {
      const error = stepError(thrown, visit);
      if (mayHaveHappened(visit, error)) return { kind: "wait", request: askWhatHappened(visit, error.message) };
      const backoffMs = nextBackoffMs(plan.step, visit.place.attempt, error);
      if (backoffMs === undefined) return { kind: "failed", error };
      const nextAt = host.clock.now() + backoffMs;
      const failed = stepEvent(visit, "step.attempt_failed", `${error.message} Next attempt in ${backoffMs} ms.`, {
        code: error.code,
        message: error.message,
        backoffMs,
        nextAt: new Date(nextAt).toISOString(),
      });
      if (backoffMs >= PARKED_BACKOFF_MS) {
        visit.staged.events.push(failed);
        return { kind: "wait", request: { kind: "timer", dueAt: nextAt, state: { retry: true } satisfies ParkedState } };
      }
      // Durable before the next call, so that a crash cannot give the step more attempts than its policy.
      await host.record([failed]);
      await sleep(visit, backoffMs);
      visit.place = { ...visit.place, attempt: visit.place.attempt + 1 };
      visit.wait = undefined;
    }
  }
}

async function runAttempt(visit: Visit): Promise<StepResult> {
  const { plan, host, place, wait } = visit;
  const resumed = wait && isStepState(wait.state) && wait.kind !== "failure" && wait.kind !== "effect" ? wait.state : undefined;
  if (!resumed) {
    const started = stepEvent(visit, "step.started", `${plan.step.name} started${place.attempt > 1 ? `, attempt ${place.attempt}` : ""}.`, {
      type: plan.type.type,
      name: plan.step.name,
    });
    if (plan.type.pure) visit.staged.events.push(started);
    else await host.begin(place, started, { isDurable: isOnce(visit) });
  }
  using timer = plan.timeoutMs === undefined ? undefined : attemptTimer(host, plan.timeoutMs);
  const signal = timer ? AbortSignal.any([visit.signal, timer.signal]) : visit.signal;
  const context = stepContext(visit, signal);
  // Coming back from a wait is no call of its own: a refusal here would have the call before it made again.
  if (plan.step.breaker !== undefined && !resumed) {
    return await host.circuit(plan.step.breaker).through(async () => await resultOf(plan.type.run(context), signal));
  }
  const work = resumed && wait?.answer && plan.type.resume ? plan.type.resume(context, wait.answer, resumed.step) : plan.type.run(context);
  // A pure step answers at once; awaiting a race would cost a turn of the event loop per step.
  if (!(work instanceof Promise)) return work;
  return plan.type.pure ? await work : await resultOf(work, signal);
}

/** What a step came to, or why its attempt was ended. */
async function resultOf(work: Promise<StepResult> | StepResult, signal: AbortSignal): Promise<StepResult> {
  try {
    const result = await Promise.race([work, aborted(signal)]);
    if (signal.aborted) throw abortReason(signal);
    return result;
  } catch (thrown) {
    throw signal.aborted ? abortReason(signal) : thrown;
  }
}

function isStepState(state: Json): state is { step: Json } {
  return state !== null && typeof state === "object" && !Array.isArray(state) && Object.hasOwn(state, "step");
}

/** A step that ignores its signal must not hold the visit: its late result is dropped, as `Promise.race` drops it. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(abortReason(signal));
    else signal.addEventListener("abort", () => reject(abortReason(signal)), { once: true });
  });
}

function attemptTimer(host: StepHost, timeoutMs: number): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const cancel = host.clock.after(timeoutMs, () =>
    controller.abort(new SignalboxError("STEP_TIMEOUT", `The step took longer than ${timeoutMs} ms.`)),
  );
  return { signal: controller.signal, [Symbol.dispose]: cancel };
}

async function sleep({ host, signal }: Visit, ms: number): Promise<void> {
  let cancel: () => void = () => {};
  try {
    await Promise.race([new Promise<void>((resolve) => (cancel = host.clock.after(ms, resolve))), aborted(signal)]);
  } finally {
    cancel();
  }
}

function abortReason(signal: AbortSignal): unknown {
  return signal.reason instanceof SignalboxError ? signal.reason : new SignalboxError("CANCELLED", undefined, { cause: signal.reason });
}

/** The error as the step's own; what belongs to LangGraph or to the end of this session is thrown on. */
function stepError(thrown: unknown, { host, signal }: Visit): SignalboxError {
  if (isGraphBubbleUp(thrown)) throw thrown;
  if (signal.aborted) throw abortReason(signal);
  const error = toSignalboxError(thrown);
  if (error.code !== "INTERNAL") return error;
  // A step's own exception: the message helps its author; the stack stays in the log.
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  host.log("step threw", { error: traceOf(thrown) });
  return new SignalboxError("STEP_FAILED", message.slice(0, 1_000) || "The step failed.", { cause: thrown });
}
