import { z } from "zod";
import { Duration, durationMs } from "../../definition/duration.ts";
import { JsonValue } from "../../definition/json.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { Task } from "../../definition/task.ts";
import { notFound } from "../../errors.ts";
import { taskView } from "../../executor/task-view.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

const MAX_WAIT_MS = 30_000;
const MAX_LEASE_MS = 3_600_000;

const Token = z.number().int().min(1).describe("The task's `token` as it was handed out");

const atMost = (longestMs: number) =>
  Duration.refine((text) => (durationMs(text) ?? Infinity) <= longestMs, `must be ${longestMs / 1_000}s at most`);

const shared = {
  noun: "tasks",
  kind: "mutation",
  scope: "tasks:work",
  status: 200,
  output: Task,
  errors: ["NOT_FOUND", "TASK_LEASE_LOST", "TASK_WITHDRAWN"],
} as const;

export const tasks = defineList({
  name: "tasks",
  summary: "List tasks, newest first",
  noun: "tasks",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/tasks",
  status: 200,
  input: z.strictObject({
    filter: z.strictObject({ executionId: PathId.optional(), workflowId: PathId.optional() }).meta({ id: "TaskFilter" }).optional(),
    ...PageRequest,
  }),
  items: Task,
  pageName: "TaskPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { filter, pageSize, pageToken }) {
    const query = { ...filter, kind: "task" as const, pageSize: pageSize ?? DEFAULT_PAGE_SIZE, pageToken };
    const page = await services.executor.waits(principal.tenant, query);
    return { ...page, items: page.items.map((wait) => taskView(wait, services.clock.now())) };
  },
});

export const task = defineOperation({
  name: "task",
  summary: "Read a task",
  noun: "tasks",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/tasks/:id",
  status: 200,
  input: z.strictObject({ id: PathId }),
  output: Task,
  errors: ["NOT_FOUND"],
  async handle({ services, principal }, { id }) {
    const wait = await services.store.waits.get(principal.tenant, id);
    if (wait?.kind !== "task") throw notFound("task", id);
    return taskView(wait, services.clock.now());
  },
});

export const pollTasks = defineOperation({
  ...shared,
  name: "pollTasks",
  summary: "Take tasks of a queue; each is this worker's until it is silent for too long",
  route: "POST /api/v1/tasks/poll",
  input: z.strictObject({
    queue: z.string().min(1).max(255),
    worker: z.string().min(1).max(255).describe("Names the worker in lists"),
    max: z.number().int().min(1).max(50).optional().describe("1 unless told"),
    lease: atMost(MAX_LEASE_MS).optional().describe("First lease; the task's `heartbeatTimeout` unless told"),
    wait: atMost(MAX_WAIT_MS).optional().describe('How long to wait for the first task, like "20s"; 30s at most'),
  }),
  output: z.object({ tasks: z.array(Task) }).meta({ id: "PolledTasks" }),
  errors: [],
  async handle({ services, principal, signal }, { queue, worker, max = 1, lease, wait }) {
    const leaseMs = lease === undefined ? undefined : durationMs(lease);
    const request = { queue, worker, max, leaseMs, waitMs: durationMs(wait ?? "") ?? 0, signal: signal() };
    const taken = await services.executor.tasks.poll(principal, request);
    return { tasks: taken.map((one) => taskView(one, services.clock.now())) };
  },
});

export const heartbeatTask = defineOperation({
  ...shared,
  name: "heartbeatTask",
  summary: "Keep a task; refused where it is somebody else's by now, or nobody waits for it any more",
  route: "POST /api/v1/tasks/:id/heartbeat",
  input: z.strictObject({ id: PathId, token: Token }),
  handle: async ({ services, principal }, { id, token }) =>
    taskView(await services.executor.tasks.heartbeat(principal, id, token), services.clock.now()),
});

export const completeTask = defineOperation({
  ...shared,
  name: "completeTask",
  summary: "Give the result of a task; the first one counts",
  route: "POST /api/v1/tasks/:id/complete",
  input: z.strictObject({ id: PathId, token: Token, output: JsonValue.optional() }),
  handle: async ({ services, principal }, { id, token, output }) =>
    taskView(await services.executor.tasks.complete(principal, id, token, output ?? null), services.clock.now()),
});

export const failTask = defineOperation({
  ...shared,
  name: "failTask",
  summary: "Give a task back, or say that it cannot be done",
  route: "POST /api/v1/tasks/:id/fail",
  input: z.strictObject({
    id: PathId,
    token: Token,
    code: z.string().min(1).max(100),
    message: z.string().max(1_000).optional(),
    retryable: z.boolean().optional().describe("false: no other attempt will do better; true unless told"),
    retryAfter: Duration.optional().describe("How long nobody is given it again"),
  }),
  async handle({ services, principal }, { id, token, code, message = "", retryable = true, retryAfter }) {
    const failure = { code, message, retryable, retryAfterMs: durationMs(retryAfter ?? "") ?? 0 };
    return taskView(await services.executor.tasks.fail(principal, id, token, failure), services.clock.now());
  },
});
