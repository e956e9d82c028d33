import type { Decision } from "../definition/decision.ts";
import type { ExecutionEvent } from "../definition/event.ts";
import type { ExecutionCommit } from "../ports/store.ts";
import { boundedLabel } from "./bounded-label.ts";
import { amountOf, wordOf } from "./event-data.ts";
import type { Metrics } from "./metrics.ts";
import type { CommitObserver, VisitTimes } from "./observer.ts";

/** Names that users choose: this many become label values, the rest is "other". */
const MAX_WORKFLOWS = 200;
const MAX_MODELS = 50;
const MAX_TYPES = 100;
const MAX_TRIGGERS = 20;

/** Counts and times what was committed. */
export function commitMetrics(metrics: Metrics): CommitObserver {
  const workflow = boundedLabel(MAX_WORKFLOWS);
  const model = boundedLabel(MAX_MODELS);
  const stepType = boundedLabel(MAX_TYPES);
  const trigger = boundedLabel(MAX_TRIGGERS);

  function count(event: ExecutionEvent, { execution }: ExecutionCommit, startOf: VisitTimes): void {
    const { data } = event;
    switch (event.type) {
      case "execution.claimed":
        if (typeof data["takenFrom"] === "string") metrics.leaseTakeovers.inc();
        if (execution.epoch === 1) metrics.claimLatency.observe(secondsBetween(Date.parse(execution.createdAt), event));
        return;
      case "execution.queued":
        return metrics.executionsQueued.inc({ limit: wordOf(data["limit"]).split(":")[0] ?? "" });
      case "execution.completed":
      case "execution.failed":
      case "execution.cancelled":
        return metrics.executionTime.observe(
          { workflow: workflow(execution.workflowId), status: execution.status },
          secondsBetween(Date.parse(execution.createdAt), event),
        );
      case "step.completed":
      case "step.failed": {
        const type = stepType(wordOf(data["type"]));
        metrics.stepCompletion.inc({ type, success: String(event.type === "step.completed") });
        const startedAt = startOf(event);
        if (startedAt !== undefined) metrics.stepTime.observe({ type }, secondsBetween(startedAt, event));
        return;
      }
      case "model.usage": {
        const name = model(wordOf(data["model"]));
        metrics.modelCalls.inc({ model: name });
        metrics.modelTokens.inc({ model: name, direction: "in" }, amountOf(data["in"]));
        metrics.modelTokens.inc({ model: name, direction: "out" }, amountOf(data["out"]));
        metrics.modelCost.inc({ model: name }, amountOf(data["costUsd"]));
        metrics.modelTime.observe({ model: name }, amountOf(data["latencyMs"]) / 1_000);
        return;
      }
      default:
        return; // the other events are history, not measures
    }
  }

  function countDecision({ source, confidence, attempts }: Decision): void {
    metrics.decisions.inc({ source });
    if (source === "model" && confidence !== null) metrics.decisionConfidence.observe(confidence);
    for (const { outcome } of attempts) metrics.decisionAttempts.inc({ outcome });
  }

  return {
    created: ({ trigger: { type } }) => metrics.executionsStarted.inc({ trigger: trigger(type) }),
    committed(commit, startOf) {
      for (const event of commit.events) count(event, commit, startOf);
      for (const decision of commit.decisions) countDecision(decision);
    },
    attempted(outcome, seconds) {
      metrics.commitTime.observe({ outcome }, seconds);
      if (outcome === "lost") metrics.leasesLost.inc();
    },
  };
}

/** Sets what is only known by looking at the worker; undefined: this process takes no work. */
export function sampleWorker(metrics: Metrics, worker: { queued: number; running: number } | undefined, slots: number): void {
  metrics.queueDepth.set(worker?.queued ?? 0);
  metrics.executionsRunning.set(worker?.running ?? 0);
  metrics.workerSlots.set(worker ? slots : 0);
}

function secondsBetween(startedAt: number, { at }: ExecutionEvent): number {
  // Clocks of two machines may differ by more than a short step takes.
  return Math.max(0, Date.parse(at) - startedAt) / 1_000;
}
