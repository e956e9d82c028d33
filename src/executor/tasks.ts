import { randomUUID } from "node:crypto";
import type { Json, JsonObject } from "../definition/json.ts";
import { taskTopic } from "../definition/task.ts";
import type { OpenWait, TaskLease, WaitAnswer } from "../definition/wait.ts";
import { notFound, SignalboxError } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import type { Actor } from "./executor.ts";
import { requestOf } from "./task-view.ts";

/** Open tasks read at once. */
const PAGE = 100;
/** Pages a poll looks through at most; what is left is found by another one, each begins somewhere else. */
const MAX_PAGES = 20;
/** A poll that waits looks again after this long, milliseconds. */
const LOOK_AGAIN_MS = { first: 100, longest: 1_000 };
/** Changes by others between our look and our write. */
const MAX_TRIES = 20;

/** Work for workers outside. Everything is durable when its promise resolves. */
export interface Tasks {
  /** Takes up to `max` tasks of a queue, each leased to the worker; waits up to `waitMs` for the first. */
  poll(actor: Actor, request: PollRequest): Promise<OpenWait[]>;
  /** Keeps the lease for as long again. TASK_LEASE_LOST, TASK_WITHDRAWN. */
  heartbeat(actor: Actor, id: string, token: number): Promise<OpenWait>;
  /** The first result counts; the same worker may say it again. TASK_LEASE_LOST, TASK_WITHDRAWN. */
  complete(actor: Actor, id: string, token: number, output: Json): Promise<OpenWait>;
  /** Gives the task back, or ends it where it cannot be done or has no attempt left. TASK_LEASE_LOST, TASK_WITHDRAWN. */
  fail(actor: Actor, id: string, token: number, failure: TaskFailure): Promise<OpenWait>;
}

export interface PollRequest {
  queue: string;
  worker: string;
  max: number;
  leaseMs?: number | undefined;
  waitMs: number;
  signal?: AbortSignal | undefined;
}

export interface TaskFailure {
  code: string;
  message: string;
  retryable: boolean;
  /** How long nobody is given the task again. */
  retryAfterMs: number;
}

type Decision = Parameters<Store["waits"]["lease"]>[3];

export function createTasks({ store, queue, clock }: { store: Store; queue: Queue; clock: Clock }): Tasks {
  async function write(wait: OpenWait, next: Omit<TaskLease, "revision" | "change">, decision: Decision) {
    const lease: TaskLease = { ...next, revision: (wait.lease?.revision ?? 0) + 1, change: randomUUID() };
    const result = await store.waits.lease(wait.tenant, wait.id, lease, decision);
    if (decision && result?.accepted) await queue.enqueue({ tenant: wait.tenant, executionId: wait.executionId });
    return result;
  }

  /** Open tasks of the queue that nobody has, from a place in the list that differs from poll to poll. */
  async function* available(tenant: string, name: string): AsyncGenerator<OpenWait> {
    const begin = randomUUID();
    let afterId: string | undefined = begin;
    let isSecondRound = false;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page: OpenWait[] = await store.waits.onTopic(tenant, taskTopic(name), { afterId, limit: PAGE });
      for (const wait of page) {
        if (isSecondRound && wait.id > begin) return;
        if (isFree(wait, clock.now())) yield wait;
      }
      afterId = page.at(-1)?.id;
      if (page.length === PAGE) continue;
      if (isSecondRound) return;
      isSecondRound = true;
      afterId = undefined;
    }
  }

  async function take(actor: Actor, { queue: name, worker, max, leaseMs }: PollRequest): Promise<OpenWait[]> {
    const taken: OpenWait[] = [];
    for await (const wait of available(actor.tenant, name)) {
      const token = (wait.lease?.token ?? 0) + 1;
      const request = requestOf(wait);
      if (token > request.maxAttempts) {
        const why = `It was taken ${request.maxAttempts} times, and no worker came back with a result.`;
        await write(wait, { token: token - 1, worker: null, until: 0 }, failedBy(wait, lost(why), { actor, at: isoTime(clock) }));
        continue;
      }
      const result = await write(wait, { token, worker, until: clock.now() + (leaseMs ?? request.leaseMs) }, null);
      if (result?.accepted) taken.push(result.wait);
      if (taken.length >= max) break;
    }
    return taken;
  }

  /** Changes the lease of whoever holds this token. */
  async function change(
    actor: Actor,
    id: string,
    token: number,
    next: (wait: OpenWait) => { until: number; worker: string | null; decision: Decision },
  ): Promise<OpenWait> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const wait = await store.waits.get(actor.tenant, id);
      if (wait?.kind !== "task") throw notFound("task", id);
      if (wait.status !== "open") return endedFor(wait, token);
      if (wait.lease?.token !== token || wait.lease.worker === null) throw leaseLost(wait);
      const { decision, ...lease } = next(wait);
      const result = await write(wait, { token, ...lease }, decision);
      if (result?.accepted) return result.wait;
    }
    throw new SignalboxError("UNAVAILABLE", "The task changes all the time.");
  }

  const lengthOf = (wait: OpenWait) => requestOf(wait).leaseMs;
  return {
    async poll(actor, request) {
      const until = clock.now() + request.waitMs;
      for (let pause = LOOK_AGAIN_MS.first; ; pause = Math.min(pause * 2, LOOK_AGAIN_MS.longest)) {
        const taken = await take(actor, request);
        const leftMs = until - clock.now();
        if (taken.length > 0 || leftMs <= 0 || request.signal?.aborted) return taken;
        await new Promise<void>((resolve) => clock.after(Math.min(pause, leftMs), resolve));
      }
    },
    heartbeat: (actor, id, token) =>
      change(actor, id, token, (wait) => ({
        worker: wait.lease?.worker ?? null,
        until: clock.now() + lengthOf(wait),
        decision: null,
      })).then((wait) => {
        if (wait.status !== "open") throw withdrawn(wait);
        return wait;
      }),
    complete: (actor, id, token, output) =>
      change(actor, id, token, (wait) => ({
        worker: wait.lease?.worker ?? null,
        until: 0,
        decision: answeredBy(wait, { outcome: "completed", output, token }, { actor, at: isoTime(clock) }),
      })),
    fail: (actor, id, token, failure) =>
      change(actor, id, token, (wait) => {
        const isLast = !failure.retryable || token >= requestOf(wait).maxAttempts;
        const decision = isLast ? failedBy(wait, { ...failure, token }, { actor, at: isoTime(clock) }) : null;
        return { worker: null, until: clock.now() + failure.retryAfterMs, decision };
      }),
  };
}

function isFree(wait: OpenWait, now: number): boolean {
  const { runAt } = requestOf(wait);
  const isExpired = wait.expiresAt !== null && Date.parse(wait.expiresAt) <= now;
  return !isExpired && (runAt === null || runAt <= now) && (wait.lease === undefined || wait.lease.until <= now);
}

function lost(message: string): Pick<TaskFailure, "code" | "message" | "retryable"> {
  return { code: "TASK_LEASE_LOST", message, retryable: true };
}

function failedBy(wait: OpenWait, { code, message, retryable, token }: Partial<TaskFailure> & { token?: number }, who: Who): Decision {
  const data = { outcome: "failed", code: code ?? "", message: message ?? "", retryable: retryable ?? false };
  return answeredBy(wait, { ...data, token: token ?? wait.lease?.token ?? 0 }, who);
}

interface Who {
  actor: Actor;
  at: string;
}

function answeredBy({ id: waitId, tenant, executionId, lease }: OpenWait, told: JsonObject, { actor, at }: Who): Decision {
  const data: JsonObject = { ...told, worker: lease?.worker ?? null };
  const answer: WaitAnswer = { by: "given", principal: actor.id, at, data };
  const body = { type: "answer" as const, waitId, answer: "given" as const, data };
  return { answer, message: { id: `${waitId}-answer`, tenant, executionId, at, principal: actor.id, body } };
}

/** What a worker hears of a task that is over: its own result counts, said again or not. */
function endedFor(wait: OpenWait, token: number): OpenWait {
  const by = wait.answer?.data["token"];
  // An event completed it, or the step stopped waiting: no worker was quicker.
  if (wait.status !== "answered" || by === undefined) throw withdrawn(wait);
  if (by === token) return wait;
  throw leaseLost(wait);
}

function withdrawn({ status }: OpenWait): SignalboxError {
  return new SignalboxError("TASK_WITHDRAWN", undefined, { details: { status: status.toUpperCase() } });
}

function leaseLost({ lease, status }: OpenWait): SignalboxError {
  return new SignalboxError("TASK_LEASE_LOST", undefined, { details: { status: status.toUpperCase(), attempt: lease?.token ?? 0 } });
}
