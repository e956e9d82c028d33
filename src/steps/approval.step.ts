import { z } from "zod";
import { JsonRecord, JsonValue, type JsonObject } from "../definition/json.ts";
import { isGroup, type Vote } from "../definition/voting.ts";
import type { Issue } from "../errors.ts";
import { askAgain, askNext, milliseconds, readAsked, type Asked } from "./approval-levels.ts";
import { approvalResult } from "./approval-result.ts";
import { defineStep, type StepContext } from "./step.ts";

const CHOICES = ["approve", "reject"];

const Who = z.string().min(1).max(255);
const Config = z.strictObject({
  title: z.string().min(1).max(255).describe("The question, for the inbox"),
  description: z.string().max(4_000).optional(),
  assignees: z
    .array(Who)
    .max(100)
    .default([])
    .describe("Who may decide: principals, `group:<name>`, `role:<name>`; everybody with the scope when empty"),
  quorum: z.number().int().min(1).max(100).default(1).describe("Approvals it takes"),
  rejectAt: z.number().int().min(1).max(100).default(1).describe("Rejections that reject it"),
  separationOfDuties: z.boolean().default(false).describe("true: who started the execution may not decide"),
  excluded: z.array(Who.nullable()).max(200).default([]).describe("Who may not decide although assigned; strings may hold ${ cel }"),
  show: JsonValue.optional().describe("What the decision is about; strings may hold ${ cel }"),
  form: JsonRecord.optional().describe("JSON Schema of the values a decision may carry"),
  propose: JsonValue.optional().describe("The value that is to be approved; strings may hold ${ cel }"),
  editable: JsonRecord.optional().describe("JSON Schema of an edited value; without it the proposal cannot be edited"),
  timeout: z.string().optional().describe('How long it may take, as a duration: "2d"'),
  onTimeout: z.enum(["route", "approve", "reject", "escalate"]).default("route").describe("route: leave by `on: timeout`"),
  escalation: z
    .array(z.strictObject({ assignees: z.array(Who).min(1).max(100), timeout: z.string() }))
    .max(10)
    .default([])
    .describe("Who is asked as well when nobody decided in time, level by level, and for how long"),
  onLastTimeout: z.enum(["route", "approve", "reject"]).default("route").describe("After the last level"),
  remindAfter: z.string().optional().describe("When people are reminded first; after `remindEvery` unless told"),
  remindEvery: z.string().optional().describe("How often people are reminded; once unless told"),
});
type ApprovalConfig = z.infer<typeof Config>;

export default defineStep({
  type: "approval",
  title: "Approval",
  description: "Asks people. Approved leaves by success, rejected by `on: rejected`, out of time by `on: timeout`.",
  aliases: ["human_approval"],
  group: "Wait",
  config: Config,
  literal: ["/form", "/editable"],
  check: (config) => [...peopleIssues(config), ...timeIssues(config)],
  run: (context) => askAgain(firstQuestion(context), [], context.now()),
  resume({ now }, answer, state) {
    const asked = readAsked(state);
    const votes = votesOf(answer.data) ?? asked.votes;
    if (answer.by !== "due") return approvalResult(asked, answer, votes) ?? askAgain(asked, votes, now());
    if (asked.next.length > 0) return askNext(asked, votes, now());
    const { lastly } = asked;
    const told = lastly === "route" ? {} : { decision: lastly, reason: "Nobody decided in time." };
    return approvalResult(asked, { ...answer, principal: null, data: told }, votes) ?? askAgain(asked, votes, now());
  },
});

function firstQuestion({ config, evaluate, now }: StepContext<ApprovalConfig>): Asked {
  const starter = config.separationOfDuties ? evaluate("execution.startedBy") : null;
  const next = config.onTimeout === "escalate" ? config.escalation : [];
  const request: JsonObject = {
    description: config.description ?? null,
    assignees: config.assignees,
    excluded: [...new Set([starter, ...config.excluded].filter((name) => typeof name === "string"))],
    quorum: config.quorum,
    rejectAt: config.rejectAt,
    evidence: config.show ?? null,
    form: config.form ?? null,
    choices: CHOICES,
    proposed: config.propose ?? null,
    editable: config.editable ?? null,
    level: 1,
    levels: next.length + 1,
  };
  const { remindAfter = config.remindEvery, remindEvery } = config;
  return {
    title: config.title,
    request,
    dueAt: config.timeout === undefined ? null : now() + milliseconds(config.timeout),
    next: next.map(({ assignees, timeout }) => ({ assignees, timeoutMs: milliseconds(timeout) })),
    lastly: config.onTimeout === "escalate" ? config.onLastTimeout : config.onTimeout,
    remind:
      remindAfter === undefined
        ? null
        : { afterMs: milliseconds(remindAfter), everyMs: remindEvery === undefined ? null : milliseconds(remindEvery) },
    votes: [],
  };
}

function votesOf({ votes }: JsonObject): Vote[] | undefined {
  // Written by our own store alone.
  return Array.isArray(votes) ? (votes as unknown as Vote[]) : undefined;
}

function peopleIssues({ assignees, excluded, quorum, editable, propose }: ApprovalConfig): Issue[] {
  const issues: Issue[] = [];
  const isKnown = assignees.length > 0 && ![...assignees, ...excluded].some((name) => name?.includes("${") || isGroup(name ?? ""));
  const voters = new Set(assignees.filter((name) => !excluded.includes(name))).size;
  if (isKnown && quorum > voters) {
    issues.push(issue("/config/quorum", `${quorum} approvals cannot come from ${voters} people.`, "Lower the quorum, or ask more people."));
  }
  if (editable && propose === undefined) {
    issues.push(issue("/config/editable", "There is nothing to edit.", "Say what is proposed with `propose`."));
  }
  return issues;
}

function timeIssues({ timeout, onTimeout, escalation, onLastTimeout }: ApprovalConfig): Issue[] {
  const issues: Issue[] = [];
  const escalates = onTimeout === "escalate";
  if (escalates && (timeout === undefined || escalation.length === 0)) {
    issues.push(issue("/config/onTimeout", "There is nothing to escalate to.", "Give `timeout` and `escalation`."));
  }
  if (!escalates && escalation.length > 0) {
    issues.push(issue("/config/escalation", "Nothing leads to the escalation.", "Write `onTimeout: escalate`."));
  }
  if (!escalates && onLastTimeout !== "route") {
    issues.push(issue("/config/onLastTimeout", "It is for escalations.", "Use `onTimeout`."));
  }
  return issues;
}

function issue(pointer: string, message: string, hint: string): Issue {
  return { code: "INVALID_CONFIG", pointer, message, hint };
}
