import { durationMs } from "../definition/duration.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Vote } from "../definition/voting.ts";
import { SignalboxError } from "../errors.ts";
import type { StepResult } from "./step.ts";

/** A question to people, as it is kept while they think: evaluated once. */
export interface Asked {
  title: string;
  request: JsonObject;
  dueAt: number | null;
  /** Who is asked as well when time is up, level by level. */
  next: { assignees: string[]; timeoutMs: number }[];
  /** What happens when the time of the last level is up. */
  lastly: "route" | "approve" | "reject";
  remind: { afterMs: number; everyMs: number | null } | null;
  /** Votes of the levels before. */
  votes: Vote[];
}

/** What a wait kept; one of the first version said no more than what happens in the end. */
export function readAsked(state: Json): Asked {
  const { onTimeout = "route", ...asked } = state as unknown as Partial<Asked> & { onTimeout?: Asked["lastly"] }; // written below
  return { title: "", request: {}, dueAt: null, next: [], lastly: onTimeout, remind: null, votes: [], ...asked };
}

/** The question, with the votes there are. */
export function askAgain(asked: Asked, votes: Vote[], now: number): StepResult {
  const dueAt = asked.dueAt === null ? null : Math.max(asked.dueAt, now);
  const state = { ...asked, votes } as unknown as Json;
  const { title, request, remind } = asked;
  return {
    kind: "wait",
    wait: { kind: "approval", dueAt, state, open: { title, request, ...(votes.length > 0 && { votes }) }, ...(remind && { remind }) },
  };
}

/** The question to more people, with a new deadline. Who was asked before may still answer, and every vote stands. */
export function askNext(asked: Asked, votes: Vote[], now: number): StepResult {
  const [level, ...next] = asked.next;
  const { assignees, level: number } = asked.request;
  const before = Array.isArray(assignees) ? assignees : [];
  // Nobody named means everybody: it cannot become fewer.
  const everybody = before.length === 0 ? [] : [...new Set([...before, ...(level?.assignees ?? [])])];
  const request = { ...asked.request, assignees: everybody, level: Number(number) + 1 };
  return askAgain({ ...asked, request, next, dueAt: now + (level?.timeoutMs ?? 0) }, votes, now);
}

/** Milliseconds of a duration that an expression may have given. */
export function milliseconds(text: string): number {
  const found = durationMs(text);
  if (found === undefined) throw new SignalboxError("INVALID_INPUT", `"${text}" is no duration of at most a year.`);
  return found;
}
