import { parseExpression, type Scope } from "../../src/definition/expression.ts";
import type { Json, JsonObject } from "../../src/definition/json.ts";
import type { ErrorPolicy, Outcome, Step } from "../../src/definition/step.ts";
import { parseTemplate } from "../../src/definition/template.ts";
import type { WorkflowDefinition } from "../../src/definition/workflow.ts";
import { SignalboxError } from "../../src/errors.ts";
import type { Entry, Told, Trace } from "./observed.ts";
import { allSteps, joinKnowledge, namesSeen, newKnowledge, type Knowledge, type OwnVisit, type Write } from "./reference-state.ts";
import {
  branchOutput,
  CUT,
  isHandled,
  loopOutput,
  statusTold,
  Wrong,
  type Flow,
  type FlowEnd,
  type Lane,
  type Left,
  type Round,
} from "./reference-regions.ts";
import { configOf, outputOf, roundsOf, truth, waysOf } from "./reference-steps.ts";

const DEFAULT_MAX_STEPS = 1_000;

/** What a definition means. */
export interface Interpretation {
  status: "COMPLETED" | "FAILED";
  output: Json;
  /** What the execution may have failed of: several branches may fail, and the first one counts. */
  failures: { code: string; stepId: string }[];
  trace: Trace;
  /** Steps entered. */
  steps: number;
  /** True where regions race: which of them are cut off, and where, is told by a schedule alone. */
  isRace: boolean;
}

/**
 * The rules of the design, step by step, without a graph, supersteps or a store: what the compiled graph must agree with. With the
 * schedule of a real run, follows what chance decided there, and throws `Wrong` where the rules do not allow it.
 */
export function interpret(definition: WorkflowDefinition, input: JsonObject, { waited, schedule }: Told): Interpretation {
  const steps = new Map(definition.steps.map((step) => [step.id, step]));
  const trace = new Map<string, Entry[]>();
  const failures: Interpretation["failures"] = [];
  const maxSteps = definition.limits?.maxSteps ?? DEFAULT_MAX_STEPS;
  let entered = 0;
  let isRace = false;
  let output: Json = null;

  function runFlow(flow: Flow, start: string): FlowEnd {
    let last: string | null = null;
    for (let id: string | null = start; id !== null && id !== flow.end;) {
      const step = steps.get(id);
      if (!step) throw new Wrong(`there is no step "${id}"`);
      const left = visit(flow, step);
      if (left.kind !== "next") return left;
      [last, id] = [id, left.next];
      if (id === null && flow.end !== null) throw new Wrong(`"${last}" ends inside a region that ends at "${flow.end}"`);
    }
    return { kind: "completed", last };
  }

  function visit(flow: Flow, step: Step): Left {
    const actual = schedule?.trace.get(flow.path)?.[trace.get(flow.path)?.length ?? 0];
    const isCut = schedule !== undefined && (actual === undefined || actual.seq >= flow.before);
    const isSplit = step.type === "parallel" || step.type === "loop";
    // A split that was cut off may have regions with visits of their own.
    if (isCut && !isSplit) return CUT;
    const number = (allSteps(flow.knowledge).get(step.id)?.visits ?? 0) + 1;
    entered++;
    const isCancelled = !isCut && actual?.outcome === "error CANCELLED";
    if (isCancelled && !flow.isDispensable) throw new Wrong(`"${step.id}" was cancelled, but its region was needed`);
    if (isCancelled) {
      if (isSplit) unlessFailed(() => split({ ...flow, before: actual.seq }, step, number, configOf(step, scopeOf(flow))));
      leave(flow, step, number, { outcome: "error", code: "CANCELLED", output: null, next: null });
      return CUT;
    }
    const before = isCut || !actual ? flow.before : actual.seq;
    const scope = scopeOf(flow);
    try {
      const isOverLimit = schedule ? actual?.outcome === "error MAX_STEPS_EXCEEDED" : entered > maxSteps;
      if (isOverLimit) throw new SignalboxError("MAX_STEPS_EXCEEDED");
      if (number > (step.maxVisits ?? Infinity)) throw new SignalboxError("MAX_VISITS_EXCEEDED");
      if (step.conditions?.some((condition) => parseExpression(condition).evaluate(scope) !== true)) {
        return isCut ? CUT : complete(flow, step, number, "skipped", null);
      }
      const config = configOf(step, scope);
      const own = step.type === "delay" ? { waitedMs: waited.get(`${flow.path}/${step.id}#${number}`) ?? 0 } : undefined;
      if (!isSplit) return complete(flow, step, number, "success", own ?? outputOf(step, config, scope));
      const result = split({ ...flow, before }, step, number, config);
      return result === CUT || isCut ? CUT : complete(flow, step, number, "success", result);
    } catch (error) {
      if (!(error instanceof SignalboxError)) throw error;
      return isCut ? CUT : fail(flow, step, number, error);
    }
  }

  function complete(flow: Flow, step: Step, number: number, outcome: "success" | "skipped", value: Json): Left {
    const scope = { ...scopeOf(flow), output: value };
    const mapped = outcome === "skipped" ? [] : Object.entries(step.output ?? {});
    const writes = mapped.map(([name, template]): Write => [name, parseTemplate(template).evaluate(scope)]);
    const next = routeFrom(
      step,
      { ...scopeOf(flow, { writes, step: step.id, outcome, visits: number, output: value }), output: value },
      outcome,
    );
    if (next === undefined) throw new SignalboxError("NO_ROUTE");
    return leave(flow, step, number, { outcome, output: value, next, writes });
  }

  /** Way `on: error`, the step's policy, at the root the workflow's; then the region's business, or the end. */
  function fail(flow: Flow, step: Step, number: number, error: SignalboxError): Left {
    const { code } = error;
    if (code !== "MAX_STEPS_EXCEEDED") {
      try {
        const scope = {
          ...scopeOf(flow),
          output: null,
          error: { code, message: error.message, stepId: step.id, details: error.details as JsonObject },
        };
        const way = routeFrom(step, scope, "error");
        if (way !== undefined && way !== null) return leave(flow, step, number, { outcome: "error", code, output: null, next: way });
        const policy: ErrorPolicy | undefined = step.onError ?? (flow.path === "" ? definition.onError : undefined);
        if (policy?.action === "goto")
          return leave(flow, step, number, { outcome: "error", code, output: null, next: policy.goto ?? null });
        if (policy?.action === "continue") {
          const value = policy.value ?? null;
          const next = routeFrom(step, { ...scope, output: value }, "success");
          if (next !== undefined) return leave(flow, step, number, { outcome: "success", code, output: value, next });
        }
      } catch (second) {
        if (!(second instanceof SignalboxError)) throw second;
        return giveUp(flow, step, number, second);
      }
    }
    return giveUp(flow, step, number, error);
  }

  function giveUp(flow: Flow, step: Step, number: number, error: SignalboxError): Left {
    const isRegions = flow.hasHandler && error.code !== "MAX_STEPS_EXCEEDED";
    note(flow, { stepId: step.id, visit: number, outcome: `error ${error.code}`, next: null });
    flow.knowledge.steps.set(step.id, { outcome: "error", visits: number, output: null });
    if (isRegions) return { kind: "failed", error };
    failures.push({ code: error.code, stepId: step.id });
    return CUT;
  }

  interface Leaving {
    outcome: Outcome;
    /** Of the failure that was handled. */
    code?: string;
    output: Json;
    next: string | null;
    writes?: Write[];
  }

  function leave(flow: Flow, step: Step, number: number, { outcome, code, output: value, next, writes = [] }: Leaving): Left {
    const { knowledge } = flow;
    const after: Knowledge = { ...knowledge, writes: [...knowledge.writes, ...writes], steps: new Map(knowledge.steps) };
    after.steps.set(step.id, { outcome, visits: number, output: value });
    // The workflow's output belongs to its last step: where it cannot be made, that step failed.
    if (next === null && flow.path === "") output = parseTemplate(definition.output ?? {}).evaluate(scopeOf({ ...flow, knowledge: after }));
    flow.knowledge = after;
    note(flow, { stepId: step.id, visit: number, outcome: code === undefined ? outcome : `error ${code}`, next });
    return { kind: "next", next };
  }

  function note({ path }: Flow, entry: Entry): void {
    trace.set(path, [...(trace.get(path) ?? []), entry]);
  }

  /** Undefined: no way applies. Null: the step ends its path on purpose. */
  function routeFrom(step: Step, scope: Scope, outcome: Outcome): string | null | undefined {
    const all = waysOf(step);
    const exact = all.filter(({ on = "success" }) => on === outcome);
    const ways = outcome === "skipped" && exact.length === 0 ? all.filter(({ on = "success" }) => on === "success") : exact;
    const taken = ways.find(({ when }) => when === undefined || truth(when, scope));
    if (taken) return taken.to;
    return all.length === 0 && outcome !== "error" ? null : undefined;
  }

  /** The output of a step with regions, or that it did not get that far. */
  function split(flow: Flow, owner: Step, number: number, config: JsonObject): Json | typeof CUT {
    const isLoop = owner.type === "loop";
    const lanes = typeof config["concurrency"] === "number" ? config["concurrency"] : 1;
    const rounds = isLoop ? roundsOf(config) : undefined;
    const branches = (config["branches"] ?? []) as unknown as { name: string; start: string; input?: Json }[];
    const names = isLoop ? Array.from({ length: lanes }, (_, lane) => String(lane)) : branches.map(({ name }) => name);
    const completing =
      isLoop || config["waitFor"] === undefined || config["waitFor"] === "all"
        ? names.length
        : config["waitFor"] === "any"
          ? 1
          : Number(config["requiredCount"]);
    const failsFast = isLoop || config["onBranchError"] !== "collect";
    const path = flow.path === "" ? owner.id : `${flow.path}/${owner.id}`;
    const told = schedule?.regions[`${path}#${number}`];
    const count = (status: string) => Object.values(told ?? {}).filter((each) => each === status).length;
    const isDispensable = flow.isDispensable || count("completed") >= completing || (failsFast && count("failed") > 0);
    const ends = names.map((name, index) => {
      const branch = branches[index];
      const own = branch?.input === undefined ? {} : { item: branch.input, index };
      const inner: Flow = {
        path: `${path}.${name}`,
        end: isLoop ? null : String(config["join"]),
        knowledge: newKnowledge(flow.knowledge),
        names: { ...flow.names, ...own },
        hasHandler: isHandled(flow, owner, definition),
        before: flow.before,
        isDispensable,
      };
      const lane = rounds && { ...rounds, index, lanes, config };
      const { end, results } = lane ? runLane(inner, lane) : { end: runFlow(inner, branch?.start ?? ""), results: null };
      return { name, inner, results, end };
    });
    if (schedule && names.some((name) => told?.[name] === undefined)) return CUT;
    const judged = ends.map((each) => ({
      ...each,
      status: told ? statusTold(told[each.name], each.end, isDispensable, each.inner) : each.end.kind,
    }));
    if (!schedule) {
      if (
        names.length > 1 &&
        (completing < names.length || ends.some(({ end }) => end.kind === "cut" || (failsFast && end.kind === "failed")))
      )
        isRace = true;
      if (judged.some(({ status }) => status === "cut")) return CUT;
    }
    for (const { inner, status } of judged) joinKnowledge(flow.knowledge, inner.knowledge, { keepsWrites: status === "completed" });
    const failed = judged.find(({ status }) => status === "failed");
    const isEnough = judged.filter(({ status }) => status === "completed").length >= completing;
    if (failsFast && !isEnough && failed?.end.kind === "failed") throw failed.end.error;
    return isLoop
      ? loopOutput(judged.flatMap(({ results }) => results ?? []))
      : branchOutput(judged, config["waitFor"] === "all" ? 0 : completing, config["waitFor"]);
  }

  function runLane(flow: Flow, { items, length, index, lanes, config }: Lane): { end: FlowEnd; results: Round[] } {
    const results: Round[] = [];
    const { itemVariable } = config;
    try {
      for (let round = index; length === null || round < length; round += lanes) {
        const item = items?.[round] ?? null;
        flow.names = {
          item,
          index: round,
          variables: { ...flow.names.variables, ...(typeof itemVariable === "string" ? { [itemVariable]: item } : {}) },
        };
        if (config["loopType"] === "while" && !truth(String(config["while"]), scopeOf(flow))) break;
        if (round >= Number(config["maxIterations"])) throw new SignalboxError("LOOP_LIMIT_EXCEEDED");
        const end = runFlow(flow, String(config["body"]));
        if (end.kind === "cut" || (end.kind === "failed" && config["onItemError"] !== "continue")) return { end, results };
        if (end.kind === "failed") results.push({ index: round, error: { code: end.error.code } });
        else results.push({ index: round, output: end.last === null ? null : (flow.knowledge.steps.get(end.last)?.output ?? null) });
      }
    } catch (error) {
      if (!(error instanceof SignalboxError)) throw error;
      return { end: { kind: "failed", error }, results };
    }
    return { end: { kind: "completed", last: null }, results };
  }

  function scopeOf({ knowledge, names }: Flow, own?: OwnVisit): Scope {
    return { input, event: null, trigger: {}, execution: {}, ...namesSeen(definition, knowledge, names, own) };
  }

  const start = definition.steps.find(({ type }) => type === "start") ?? definition.steps[0];
  const root: Flow = {
    path: "",
    end: null,
    knowledge: newKnowledge(),
    names: { variables: {} },
    hasHandler: false,
    before: Infinity,
    isDispensable: false,
  };
  const end = runFlow(root, start?.id ?? "");
  if (end.kind === "cut" && failures.length === 0 && !isRace) throw new Wrong("the run stopped without a reason");
  return {
    status: end.kind === "completed" ? "COMPLETED" : "FAILED",
    output: end.kind === "completed" ? output : null,
    failures,
    trace,
    steps: entered,
    isRace: isRace || schedule !== undefined,
  };
}

/** What became of the regions of a step that was cancelled matters to nobody but their visits. */
function unlessFailed(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SignalboxError)) throw error;
  }
}
