import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import type { ExecutionView } from "../../src/api/views/execution.ts";
import type { Task } from "../../src/definition/task.ts";
import { readText } from "../repository/source.ts";
import { startApi, type ApiClient } from "./support.ts";

const LABELS = {
  id: "labels",
  name: "Labels",
  steps: [{ id: "print", type: "task", config: { queue: "labels", payload: { name: "${ input.name }" } } }],
  output: { printed: "${ steps.print.output }" },
};
/** The worker of the page in a language, and how it is run. */
const WORKERS = [
  { language: "js", command: process.execPath, args: (text: string) => ["--input-type=module", "--eval", text] },
  { language: "python", command: "python3", args: (text: string) => ["-c", text] },
].filter(({ command }) => spawnSync(command, ["--version"]).status === 0);

async function start(api: ApiClient, name: string): Promise<string> {
  await api.call("POST /api/v1/workflows", { body: LABELS });
  return (await api.execute("labels", { input: { name } })).id;
}

test.each(WORKERS)("the worker in $language of the page does the work", async ({ language, command, args }) => {
  await using api = await startApi();
  const id = await start(api, "Ada");
  const text = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readText("docs/steps/task.md"))?.[1] ?? "";
  const child = spawn(command, args(text), { env: { ...process.env, SIGNALBOX: api.base, TOKEN: "none" }, stdio: "ignore" });
  try {
    const ended = async () => (await api.call<ExecutionView>(`GET /api/v1/executions/${id}`)).body.output;
    await expect.poll(ended, { timeout: 15_000 }).toEqual({ printed: { label: "To Ada" } });
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

test("a task is polled, kept, listed and completed over REST, and refused to who lost it", async () => {
  await using api = await startApi();
  const id = await start(api, "Ada");
  const poll = { queue: "labels", worker: "w1", max: 5, lease: "10s", wait: "100ms" };
  const { body } = await api.call<{ tasks: Task[] }>("POST /api/v1/tasks/poll", { body: poll });
  const [task] = body.tasks;
  expect(body.tasks).toMatchObject([{ executionId: id, payload: { name: "Ada" }, attempt: 1, status: "LEASED", worker: "w1" }]);
  expect((await api.call<{ tasks: Task[] }>("POST /api/v1/tasks/poll", { body: { ...poll, wait: undefined } })).body.tasks).toEqual([]);
  expect((await api.call<Task>(`POST /api/v1/tasks/${task?.id}/heartbeat`, { body: { token: 1 } })).status).toBe(200);
  expect((await api.refused(`POST /api/v1/tasks/${task?.id}/complete`, { body: { token: 2, output: 1 } })).code).toBe("TASK_LEASE_LOST");
  expect((await api.refused("POST /api/v1/tasks/nobody/heartbeat", { body: { token: 1 } })).code).toBe("NOT_FOUND");
  const listed = await api.call<{ items: Task[] }>(`GET /api/v1/tasks?execution_id=${id}`);
  expect(listed.body.items).toMatchObject([{ id: task?.id, status: "LEASED" }]);
  const done = await api.call<Task>(`POST /api/v1/tasks/${task?.id}/complete`, { body: { token: 1, output: { label: "A" } } });
  expect(done.body.status).toBe("COMPLETED");
  const ended = async () => (await api.call<ExecutionView>(`GET /api/v1/executions/${id}`)).body.status;
  await expect.poll(ended).toBe("COMPLETED");
});

test("a task is polled and failed over GraphQL", async () => {
  await using api = await startApi();
  const id = await start(api, "Ada");
  const polled = await api.graphql<{ pollTasks: { tasks: Task[] } }>(
    'mutation { pollTasks(queue: "labels", worker: "w1") { tasks { id token payload } } }',
  );
  expect(polled.errors).toEqual([]);
  const [task] = polled.data.pollTasks.tasks;
  const failed = await api.graphql(
    'mutation ($id: ID!, $token: Int!) { failTask(id: $id, token: $token, code: "NO", retryable: false) { status } }',
    { id: task?.id, token: task?.token },
  );
  expect(failed).toMatchObject({ errors: [], data: { failTask: { status: "FAILED" } } });
  const error = async () => (await api.call<ExecutionView>(`GET /api/v1/executions/${id}`)).body.error?.code;
  await expect.poll(error).toBe("TASK_REJECTED");
});
