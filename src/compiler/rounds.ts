import { parseExpression } from "../definition/expression.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import type { StepHost } from "./host.ts";
import { createScope, MAX_VALUE_BYTES, ROUND, toSlot } from "./scope.ts";
import type { LaneEntry } from "./state.ts";
import { withControl, type Work } from "./work.ts";

/** Where a lane keeps the results of its rounds: the newest in the state, full chunks stored once. */
const RESULTS = "$results";
const CHUNKS = "$chunks";
/** Results per chunk: the state stays small however many rounds a lane runs. */
const CHUNK = 50;

export interface Round {
  index: number;
  output?: Json;
  /** Instead of a large output: where it is, and its size. */
  stored?: { ref: string; bytes: number };
  error?: { code: string; message: string };
}

/** The work with the present round's result noted and the next round begun; `isOver` when there is none. */
export async function nextRound(
  host: StepHost,
  work: Work,
  lane: LaneEntry,
  reads: ReadonlySet<string>,
  result: Omit<Round, "index"> | null,
): Promise<{ work: Work; isOver: boolean }> {
  const round = work.state._ctl[ROUND];
  const index = typeof round === "number" ? round + lane.lanes : lane.lane;
  let noted = result && typeof round === "number" ? note(work, { index: round, ...result }) : work;
  if (lane.length !== null && index >= lane.length) return { work: noted, isOver: true };
  noted = withControl(noted, { [ROUND]: index });
  if (lane.condition !== null && !(await holds(host, noted, lane.condition, reads))) return { work: noted, isOver: true };
  if (index >= lane.maxIterations) {
    throw new SignalboxError("LOOP_LIMIT_EXCEEDED", `The loop ran ${lane.maxIterations} rounds.`, {
      details: { maxIterations: lane.maxIterations },
    });
  }
  return { work: noted, isOver: false };
}

/** All results of a lane, in order. */
export async function roundResults(host: StepHost, control: JsonObject): Promise<Round[]> {
  const chunks = refsOf(control[CHUNKS]);
  const stored = chunks.length > 0 ? await host.values(chunks) : new Map<string, Json>();
  // Written by `note` alone.
  return [...chunks.flatMap((ref) => (stored.get(ref) ?? []) as unknown as Round[]), ...((control[RESULTS] ?? []) as unknown as Round[])];
}

/** The rounds with their large outputs loaded. TOO_LARGE, before anything is loaded, where they are more than one output may be. */
export async function withOutputs(host: StepHost, rounds: readonly Round[]): Promise<Round[]> {
  const bytes = rounds.reduce((sum, { stored }) => sum + (stored?.bytes ?? 0), 0);
  if (bytes > MAX_VALUE_BYTES) {
    const message = `The outputs of the rounds have ${bytes} bytes; ${MAX_VALUE_BYTES} are allowed.`;
    throw new SignalboxError("TOO_LARGE", message, { details: { bytes, limit: MAX_VALUE_BYTES } });
  }
  const refs = rounds.flatMap(({ stored }) => (stored ? [stored.ref] : []));
  if (refs.length === 0) return [...rounds];
  const values = await host.values(refs);
  return rounds.map(({ stored, ...round }) => (stored ? { ...round, output: values.get(stored.ref) ?? null } : round));
}

function note(work: Work, round: Round): Work {
  const results = [...((work.state._ctl[RESULTS] ?? []) as Json[]), round as unknown as Json];
  if (results.length < CHUNK) return withControl(work, { [RESULTS]: results });
  const values = [...work.staged.values];
  const slot = toSlot(results, values, "The results of a loop", 0);
  const chunks = "r" in slot ? [...refsOf(work.state._ctl[CHUNKS]), slot.r] : refsOf(work.state._ctl[CHUNKS]);
  return withControl({ ...work, staged: { ...work.staged, values } }, { [RESULTS]: [], [CHUNKS]: chunks });
}

async function holds(host: StepHost, work: Work, condition: string, reads: ReadonlySet<string>): Promise<boolean> {
  const fresh = new Map(work.staged.values.map(({ ref, value }) => [ref, value]));
  const value = parseExpression(condition).evaluate(await createScope(host, work.state, reads, fresh));
  if (typeof value === "boolean") return value;
  throw new SignalboxError("EXPRESSION_FAILED", `"${condition}" gives no boolean.`, { details: { expression: condition } });
}

function refsOf(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((ref) => typeof ref === "string") : [];
}
