import { z } from "zod";
import { durationMs } from "../definition/duration.ts";
import { JsonRecord, JsonValue, type Json, type JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep, type StepResult } from "./step.ts";

const CHOICES = ["approve", "reject"];

const Config = z.strictObject({
  title: z.string().min(1).max(255).describe("The question, for the inbox"),
  description: z.string().max(4_000).optional(),
  assignees: z.array(z.string().min(1).max(255)).max(100).default([]).describe("Who is asked; everybody with the scope when empty"),
  show: JsonValue.optional().describe("What the decision is about; strings may hold ${ cel }"),
  form: JsonRecord.optional().describe("JSON Schema of the values a decision may carry"),
  timeout: z.string().optional().describe('How long it may take, as a duration: "2d"'),
  onTimeout: z.enum(["route", "approve", "reject"]).default("route").describe("route: leave by `on: timeout`"),
});

export default defineStep({
  type: "approval",
  title: "Approval",
  description: "Asks a person. Approved leaves by success, rejected by `on: rejected`, out of time by `on: timeout`.",
  aliases: ["human_approval"],
  group: "Wait",
  config: Config,
  literal: ["/form"],
  run({ config, now }) {
    const request: JsonObject = {
      description: config.description ?? null,
      assignees: config.assignees,
      evidence: config.show ?? null,
      form: config.form ?? null,
      choices: CHOICES,
    };
    const dueAt = config.timeout === undefined ? null : now() + timeoutMs(config.timeout);
    return {
      kind: "wait",
      wait: { kind: "approval", dueAt, state: { onTimeout: config.onTimeout }, open: { title: config.title, request } },
    };
  },
  resume(_context, answer, state) {
    if (answer.by === "due") {
      // The state is what `run` put there.
      const { onTimeout } = state as { onTimeout: "route" | "approve" | "reject" };
      if (onTimeout === "route") return { kind: "done", outcome: "timeout", output: result("timeout", null, answer.at) };
      return ended(onTimeout, null, answer.at, { reason: "Nobody decided in time." });
    }
    return ended(answer.data["decision"] === "approve" ? "approve" : "reject", answer.principal, answer.at, answer.data);
  },
});

function ended(decision: string, by: string | null, at: string, data: JsonObject): StepResult {
  return { kind: "done", outcome: decision === "approve" ? "success" : "rejected", output: result(decision, by, at, data) };
}

function result(decision: string, by: string | null, at: string, data: JsonObject = {}): Json {
  return { decision, approved: decision === "approve", by, at, reason: data["reason"] ?? null, values: data["values"] ?? null };
}

function timeoutMs(text: string): number {
  const milliseconds = durationMs(text);
  if (milliseconds === undefined) throw new SignalboxError("INVALID_INPUT", `"${text}" is no duration of at most a year.`);
  return milliseconds;
}
