import { foldEvents } from "../definition/fold.ts";
import type { ExecutionEvent } from "../definition/event.ts";
import { TERMINAL_STATUSES, type Execution, type StepRecord } from "../definition/execution.ts";
import { notFound } from "../errors.ts";
import { NO_OUTLET, type EventOutlet } from "../relay/outlet.ts";
import type { Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import type { Executor } from "./executor.ts";
import { followEvents } from "./follow.ts";
import { createCallbacks } from "./callbacks.ts";
import { createStarter } from "./start.ts";
import { createTasks } from "./tasks.ts";
import type { TokenHub } from "./tokens.ts";
import { createVerbs } from "./verbs.ts";
import { watchUntil } from "./watch-until.ts";

const PAGE = 1_000;

export interface ExecutorOptions {
  store: Store;
  queue: Queue;
  clock: Clock;
  tokens: TokenHub;
  /** Who hears of the events; nobody unless told. */
  outlet?: EventOutlet | undefined;
  startsPerSecond?: ((tenant: string) => number | undefined) | undefined;
  /** Most executions of a tenant at once. */
  tenantMax?: ((tenant: string) => number | undefined) | undefined;
}

/** The executor's commands and views. It runs nothing itself: workers do, in this process or another. */
export function createExecutor({
  store,
  queue,
  clock,
  tokens,
  outlet = NO_OUTLET,
  startsPerSecond,
  tenantMax = () => undefined,
}: ExecutorOptions): Executor {
  async function get(tenant: string, id: string): Promise<Execution> {
    const handle = await store.executions.get(tenant, id);
    if (!handle) throw notFound("execution", id);
    return handle.execution;
  }

  async function allEvents(tenant: string, id: string, uptoSeq = Number.POSITIVE_INFINITY): Promise<ExecutionEvent[]> {
    await get(tenant, id);
    const all: ExecutionEvent[] = [];
    for (;;) {
      const page = await store.events.after(tenant, id, all.length, PAGE);
      all.push(...page);
      if (page.length < PAGE || all.length >= uptoSeq) return all;
    }
  }

  return {
    start: createStarter({ store, queue, clock, outlet, startsPerSecond }),
    get,
    list: (tenant, query) => store.executions.list(tenant, query),
    waitForEnd(tenant, id, { timeoutMs, signal }) {
      const until = (execution: Execution) =>
        TERMINAL_STATUSES.has(execution.status) || execution.status === "PAUSED" || waitsForOthers(execution, clock.now() + timeoutMs);
      return watchUntil({ store, clock }, tenant, id, { timeoutMs, until, signal });
    },
    tasks: createTasks({ store, queue, clock }),
    ...createVerbs({ store, queue, clock }),
    callback: createCallbacks({ store, queue, clock }),
    async limits(tenant, limit) {
      const rows = await store.limits.list(tenant, limit);
      const ids = [...new Set(rows.flatMap((row) => workflowOf(row.limit) ?? []))];
      const workflows = new Map((await store.workflows.getMany(tenant, ids)).map((workflow) => [workflow.id, workflow]));
      return rows.map((row) => {
        const workflowId = workflowOf(row.limit);
        const max = workflowId === undefined ? tenantMax(tenant) : workflows.get(workflowId)?.definition.limits?.concurrency?.max;
        return { limit: row.limit, max: max ?? null, inUse: row.taken, queued: row.waiting };
      });
    },
    waits: (tenant, query) => store.waits.list(tenant, query),
    async wait(tenant, id) {
      const wait = await store.waits.get(tenant, id);
      if (!wait) throw notFound("approval", id);
      return wait;
    },
    async events(tenant, id, { afterSeq, beforeSeq, limit }) {
      await get(tenant, id);
      if (beforeSeq !== undefined) return await store.events.before(tenant, id, beforeSeq, limit);
      return await store.events.after(tenant, id, afterSeq ?? 0, limit);
    },
    async *follow(tenant, id, options) {
      await get(tenant, id);
      yield* followEvents({ store, clock }, tenant, id, options);
    },
    async *tokens(tenant, id, { signal }) {
      await get(tenant, id);
      yield* tokens.follow(id, signal);
    },
    async steps(tenant, id) {
      return [...foldEvents(await allEvents(tenant, id)).steps.values()];
    },
    async stepsOf(tenant, ids) {
      const pages = await store.events.pagesOf(tenant, ids, { afterSeq: 0, limit: PAGE });
      const folded = [...pages].map(async ([id, events]): Promise<[string, StepRecord[]]> => {
        // Only a history longer than a page is read on.
        const all = events.length < PAGE ? events : await allEvents(tenant, id);
        return [id, [...foldEvents(all).steps.values()]];
      });
      return new Map(await Promise.all(folded));
    },
    async checkpoints(tenant, id) {
      return foldEvents(await allEvents(tenant, id)).checkpoints;
    },
    async stateAt(tenant, id, seq) {
      const { variables, steps } = foldEvents(await allEvents(tenant, id, seq), seq);
      const latest = new Map(
        [...steps.values()].map((step) => [step.branch === null ? step.stepId : `${step.branch}/${step.stepId}`, step]),
      );
      return {
        seq,
        variables,
        steps: Object.fromEntries([...latest].map(([path, { status, visit, output }]) => [path, { status, visit, output }])),
      };
    },
  };
}

/** The workflow whose limit it is; undefined for the tenant's. */
function workflowOf(limit: string): string | undefined {
  return /^workflow:([^:]+)/.exec(limit)?.[1];
}

/** Parked, and nothing that a clock ends before `until`, or a child of its own: only somebody outside can bring it on. */
function waitsForOthers(execution: Execution, until: number): boolean {
  return (
    execution.isParked &&
    (execution.wakeAt === null || execution.wakeAt > until) &&
    execution.waits.every(({ kind, answer }) => answer === null && kind !== "child")
  );
}
