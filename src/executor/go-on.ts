import type { Dismissal, RetryEdit } from "../definition/dead-letter.ts";
import type { Execution, Override, RetryMode } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Wait } from "../definition/wait.ts";
import type { Absorbed } from "./absorb.ts";
import { answerWait } from "./answer-wait.ts";
import { takeTurn } from "./turns.ts";

export interface GoingOn {
  reason: "resume" | "retry";
  principal: string;
  mode?: RetryMode;
  output?: Json;
  edit?: RetryEdit | undefined;
  /** The edited variables as they may be shown. */
  shown?: JsonObject | undefined;
}

/** A paused or failed execution goes on: what it failed at is tried again, with or without a change, or passed over. */
export function goOn(draft: Execution, result: Absorbed, at: string, how: GoingOn): void {
  const { reason, principal, mode = null, edit } = how;
  takeTurn(draft, reason);
  draft.status = "RUNNING";
  draft.error = null;
  draft.endedAt = null;
  draft.expireAt = null;
  delete draft.dismissal;
  const failures = draft.waits.filter(({ kind }) => kind === "failure");
  const edited = edit && failures.filter(({ stepId }) => edit.stepId === undefined || edit.stepId === stepId);
  const { stepId = null, config = null, input = null } = { ...edit, ...(edited?.[0] && { stepId: edited[0].stepId }) };
  const data: JsonObject = { reason, principal, mode, ...(edit && { set: how.shown ?? {}, edit: { stepId, config, input } }) };
  const summary = reason === "resume" ? `Resumed by ${principal}.` : `Tried again by ${principal}${edit ? ", with changes" : ""}.`;
  result.events.push({ at, type: "execution.resumed", stepId: null, visit: null, branch: null, attempt: null, summary, data });
  for (const wait of edited ?? []) override(draft, wait, edit ?? {});
  for (const wait of failures) {
    const answer: JsonObject = { mode: mode ?? "retry", output: how.output ?? null };
    answerWait(draft, result, wait.id, { by: "given", principal, at, data: answer });
  }
}

/** Over what an earlier retry of the same visit changed. */
function override(draft: Execution, { path, visit }: Wait, { variables, config, input }: RetryEdit): void {
  const present = draft.overrides?.[path];
  const before: Override = present?.visit === visit ? present : { visit, variables: {}, config: {}, input: null };
  const joined: Override = {
    visit,
    variables: { ...before.variables, ...variables },
    config: { ...before.config, ...config },
    input: input ?? before.input,
  };
  draft.overrides = { ...draft.overrides, [path]: joined };
}

/** A failed execution that stays as it is. */
export function dismiss(draft: Execution, result: Absorbed, dismissal: Dismissal): void {
  draft.dismissal = dismissal;
  const { by, at, note } = dismissal;
  const summary = `Dismissed by ${by}${note === null ? "" : `: ${note}`}.`;
  const data: JsonObject = { principal: by, note };
  result.events.push({ at, type: "execution.dismissed", stepId: null, visit: null, branch: null, attempt: null, summary, data });
}
