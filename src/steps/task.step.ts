import { z } from "zod";
import { Duration, durationMs } from "../definition/duration.ts";
import { JsonValue, type Json } from "../definition/json.ts";
import { taskTopic } from "../definition/task.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep, type StepContext } from "./step.ts";

const Config = z.strictObject({
  queue: z.string().min(1).max(255).describe("Which workers it is for"),
  payload: JsonValue.optional().describe("What they are given; the step's `input` unless told"),
  title: z.string().min(1).max(255).optional().describe("For lists; the step's name unless told"),
  runAt: z.string().optional().describe("Nobody is given it before: RFC 3339"),
  heartbeatTimeout: Duration.default("60s").describe("A worker that is not heard of for so long loses the task"),
  maxAttempts: z.number().int().min(1).max(100).default(3).describe("How often it is handed out"),
  timeout: Duration.optional().describe("How long it may take in all; for ever unless told. Then it leaves by `on: timeout`"),
  completionEvent: z.string().min(1).max(255).optional().describe("An event for the execution that completes it as well"),
});

export default defineStep({
  type: "task",
  title: "Task",
  description: "Hands work to a worker outside, which takes it from a queue over HTTP, and goes on with its result.",
  group: "Work",
  config: Config,
  run(context) {
    const { config, step, now, idempotencyKey } = context;
    const { queue, heartbeatTimeout, maxAttempts, timeout, completionEvent } = config;
    const payload = config.payload ?? (step.input === undefined ? null : context.input);
    const request = {
      queue,
      payload,
      idempotencyKey,
      maxAttempts,
      leaseMs: durationMs(heartbeatTimeout) ?? 0,
      runAt: runAtOf(config.runAt),
    };
    const dueAt = timeout === undefined ? null : now() + (durationMs(timeout) ?? 0);
    const open = { title: config.title ?? step.name, request, topic: taskTopic(queue) };
    return { kind: "wait", wait: { kind: "task", dueAt, state: { event: completionEvent ?? null }, open } };
  },
  resume(_context: StepContext, answer) {
    if (answer.by === "due") return { kind: "done", outcome: "timeout", output: null };
    const { outcome, output, data, code, message, retryable, worker = null, token = null } = answer.data;
    if (outcome === undefined) return { kind: "done", output: data ?? null };
    if (outcome === "completed") return { kind: "done", output: output ?? null };
    const details = { code: textOf(code), worker, attempts: token };
    throw new SignalboxError(retryable === true ? "TASK_FAILED" : "TASK_REJECTED", textOf(message) || undefined, { details });
  },
});

function runAtOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new SignalboxError("INVALID_INPUT", `"${text}" is no RFC 3339 time.`);
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
