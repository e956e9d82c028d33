import { parseExpression, type Scope } from "../definition/expression.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { issuesOfZod } from "../definition/check/zod-issues.ts";
import type { StepContext } from "../steps/step.ts";
import { stepEvent } from "./events.ts";
import { recall } from "./memory.ts";
import { overrideAt } from "./override.ts";
import { openRoutes } from "./route.ts";
import type { Visit } from "./visit.ts";

export const SECRET = "[secret]";

/** The capabilities of one attempt. */
export function stepContext(visit: Visit, signal: AbortSignal): StepContext {
  const { host, plan, place, scope, workflow } = visit;
  const { execution } = host;
  let config: unknown;
  let input: Json | undefined;
  return {
    // When it is first asked for: a step that gathers its regions sees other variables than the one that began them.
    get config() {
      return (config ??= evaluateConfig(visit));
    },
    get input() {
      return (input ??= overrideAt(host, place)?.input ?? (plan.input ? plan.input.evaluate(scope) : execution.input));
    },
    step: plan.step,
    executionId: execution.id,
    workflowId: execution.workflowId,
    workflowVersion: execution.workflowVersion,
    tenant: execution.tenant,
    path: place.path,
    visit: place.visit,
    attempt: place.attempt,
    idempotencyKey: `${execution.id}/${place.path}/${place.visit}`,
    signal,
    now: () => host.clock.now(),
    evaluate: (expression, extra) => parseExpression(expression).evaluate(extra ? { ...scope, ...extra } : scope),
    routes: (outcome) => openRoutes(plan, scope, outcome),
    state: () => visibleState(scope, workflow.definition.variables),
    policy: workflow.definition.policy,
    get models() {
      return host.models(place);
    },
    get traceparent() {
      return host.traceparent(place);
    },
    fetch(request) {
      const traceparent = host.traceparent(place);
      return host.fetch({
        ...request,
        // What the author wrote comes after it and counts.
        headers: { ...(traceparent !== undefined && { traceparent }), ...request.headers },
        signal: request.signal ? AbortSignal.any([request.signal, signal]) : signal,
      });
    },
    recall: (memory) => recall(visit, memory),
    openCallback: () => host.openCallback(place),
    get thread() {
      return host.thread(place);
    },
    get children() {
      return host.children(place);
    },
    decisions: {
      recorded: () => host.decision(place),
      record: (decision) => host.recordDecision(place, decision),
    },
    event({ type, summary, data }) {
      const event = stepEvent(visit, type, summary, data);
      // What a pure step says counts only if its stretch is committed; other events must not come after what follows from them.
      if (plan.type.pure) visit.staged.events.push(event);
      else host.note(event);
    },
    publish(event) {
      const summary = `${plan.step.name} published ${event.type}.`.slice(0, 400);
      visit.staged.events.push(stepEvent(visit, "event.published", summary, { ...event }));
    },
    log: (message, fields = {}) => host.log(message, { ...fields, stepId: place.stepId, visit: place.visit, attempt: place.attempt }),
  };
}

/** Config with every `${ }` evaluated, then parsed by the type's schema: an expression may have given something else than it takes. */
function evaluateConfig({ plan, scope, host, place }: Visit): unknown {
  const evaluated = plan.config.evaluate(scope) as JsonObject;
  const parsed = plan.type.config.safeParse({ ...evaluated, ...plan.fixedConfig, ...overrideAt(host, place)?.config });
  if (parsed.success) return parsed.data;
  const issues = issuesOfZod(parsed.error, "/config");
  throw new SignalboxError("INVALID_INPUT", `The config of step "${plan.step.id}" does not fit: ${issues[0]?.message ?? ""}`, { issues });
}

function visibleState(scope: Scope, variables: Record<string, { secret: boolean }>): JsonObject {
  // Scopes are built from JSON alone, see scope.ts.
  const { input, vars, steps } = scope as { input: Json; vars: JsonObject; steps: JsonObject };
  const shown = Object.fromEntries(Object.entries(vars).filter(([name]) => variables[name]?.secret !== true));
  const visited = Object.entries(steps).filter(
    ([, step]) => step !== null && typeof step === "object" && !Array.isArray(step) && step["outcome"] !== null,
  );
  return { input, vars: shown, steps: Object.fromEntries(visited) };
}
