import { deadLetterState } from "../definition/dead-letter.ts";
import type { TimedDraft } from "../compiler/host.ts";
import type { Execution, InboxMessage, SignalMessage } from "../definition/execution.ts";
import { TERMINAL_STATUSES } from "../definition/execution.ts";
import type { Wait } from "../definition/wait.ts";
import type { ExecutionCommit } from "../ports/store.ts";
import { cancelChildren } from "./children.ts";
import { takesEvent } from "./event-wait.ts";
import { answerWait } from "./answer-wait.ts";
import { dismiss, goOn } from "./go-on.ts";
import { isByMail, isDue, type ExpiredWaits } from "./expire.ts";
import { remind } from "./remind.ts";
import { inOrder, isRepeat, isVoid, remember, takeTurn, turnsOf } from "./turns.ts";
import { isTaken, rememberTaken } from "./look-back.ts";

const MAX_SEEN_SIGNALS = 200;

/** What the holder of the lease is to do after it took in its mail and looked at the clock. */
export interface Absorbed {
  action: "run" | "rest" | "pause" | "cancel" | "expire";
  /** A cancel or pause that is to be fulfilled. */
  wish: Wish | undefined;
  events: TimedDraft[];
  /** Messages dealt with; those of a wish are dealt with when it is fulfilled. */
  consumed: string[];
  /** True when a wait was answered, by mail or by the clock. */
  answered: boolean;
  /** Listed waits that an event or the clock ended: nobody can answer them any more. */
  closed: ExecutionCommit["closeWaits"];
  /** Waits that people are reminded of now. */
  reminded: ExecutionCommit["remindedWaits"];
  /** To the children of waits that ended without them. */
  sends: InboxMessage[];
}

/**
 * Takes messages and due timers into the record: answers waits, fills the mailbox, turns the status. Changes `draft` and nothing
 * else, so that everything happens in one commit or not at all. Of the waits that others may answer the clock ends only those in
 * `expired`: there it was quicker than everybody else. `standing` is a wish that is not fulfilled yet.
 */
export function absorb(draft: Execution, inbox: readonly InboxMessage[], now: number, expired: ExpiredWaits, standing?: Wish): Absorbed {
  const result: Absorbed = { ...nothing(), wish: standing };
  const at = new Date(now).toISOString();
  for (const message of inOrder(inbox)) {
    const isNews = !isRepeat(draft, message) && !isVoid(draft, message);
    const wish = isNews ? takeMessage(draft, result, message, at) : undefined;
    if (wish) result.wish = wish;
    else consume(draft, result, message);
  }
  if (isOver(draft)) return result;
  if (result.wish) return { ...result, action: result.wish.action };
  if (draft.status === "PAUSED") return result;
  if (draft.deadlineAt !== null && draft.deadlineAt <= now) return { ...result, action: "expire" };
  deliverMailbox(draft, result);
  for (const wait of draft.waits) {
    if (isEndedByClock(wait, now, expired)) {
      if (isByMail(wait)) result.closed.push({ id: wait.id, status: "expired" });
      answerWait(draft, result, wait.id, { by: "due", principal: null, at, data: expired.get(wait.id) ?? {} });
      result.sends.push(...cancelChildren(draft, [wait], { at, reason: "It ran out of the time its parent gave it." }));
    }
  }
  for (const wait of draft.waits) remind(wait, result, now);
  const isRunnable = !draft.isParked || draft.waits.some(({ answer }) => answer !== null);
  return isRunnable ? { ...result, action: "run" } : result;
}

function isEndedByClock(wait: Wait, now: number, expired: ExpiredWaits): boolean {
  return isDue(wait, now) && (!wait.isListed || isByMail(wait) || expired.has(wait.id));
}

function nothing(): Absorbed {
  return { action: "rest", wish: undefined, events: [], consumed: [], answered: false, closed: [], reminded: [], sends: [] };
}

/**
 * What somebody wants of the execution as a whole; a cancel stands, a pause can be taken back. Its messages stay in the inbox until
 * the commit that fulfils it: a process that dies before has lost nothing.
 */
export interface Wish {
  action: "pause" | "cancel";
  reason: string | null;
  messages: InboxMessage[];
}

/** The wish is fulfilled, taken back or void: its messages are dealt with. Returns their ids. */
export function grant(draft: Execution, { messages }: Wish): string[] {
  for (const message of messages) remember(draft, message);
  return messages.map(({ id }) => id);
}

function consume(draft: Execution, result: Absorbed, message: InboxMessage): void {
  if (!isRepeat(draft, message)) remember(draft, message);
  result.consumed.push(message.id);
}

/** Does what the message says, at once or by the wish it returns. */
function takeMessage(draft: Execution, result: Absorbed, message: InboxMessage, at: string): Wish | undefined {
  const { id, principal, at: sentAt, body } = message;
  const { wish } = result;
  switch (body.type) {
    case "answer":
      answerWait(draft, result, body.waitId, { by: "given", principal, at: sentAt, data: body.data });
      return undefined;
    case "signal":
      if (!isOver(draft))
        takeSignal(draft, { id: body.eventId ?? id, event: body.event, data: body.data, at: sentAt, delivery: body.delivery });
      return undefined;
    case "cancel":
      return isOver(draft) ? undefined : { action: "cancel", reason: body.reason, messages: [...(wish?.messages ?? []), message] };
    case "pause":
      if (isOver(draft) || draft.status === "PAUSED") return undefined;
      return wish ? { ...wish, messages: [...wish.messages, message] } : { action: "pause", reason: body.reason, messages: [message] };
    case "resume":
      resume(draft, result, message, at);
      return undefined;
    case "retry":
      if (deadLetterState(draft)) goOn(draft, result, at, { reason: "retry", principal, ...body });
      return undefined;
    case "dismiss":
      if (deadLetterState(draft)) dismiss(draft, result, { by: principal, at, note: body.note });
      return undefined;
    default:
      return body satisfies never;
  }
}

/** Ends the pause it was asked for: one that is in effect, or one that a busy step holds up. */
function resume(draft: Execution, result: Absorbed, { principal, basedOn }: InboxMessage, at: string): void {
  const { turns } = turnsOf(draft);
  const isFor = (turn: number) => basedOn === undefined || basedOn.turns === turn;
  if (draft.status === "PAUSED") {
    if (isFor(turns)) goOn(draft, result, at, { reason: "resume", principal });
  } else if (result.wish?.action === "pause" && isFor(turns + 1)) {
    result.consumed.push(...grant(draft, result.wish));
    result.wish = undefined;
    takeTurn(draft, "pause");
    takeTurn(draft, "resume");
  }
}

function isOver({ status }: Execution): boolean {
  return TERMINAL_STATUSES.has(status);
}

/** Epoch milliseconds at which a resting execution has something to do by itself. */
export function nextWakeAt(draft: Execution): number | null {
  if (draft.status === "PAUSED" || TERMINAL_STATUSES.has(draft.status)) return null;
  const due = draft.waits.flatMap(({ dueAt, remind: reminder, answer }) =>
    answer === null ? [dueAt, reminder?.at ?? null].filter((time) => time !== null) : [],
  );
  if (draft.deadlineAt !== null) due.push(draft.deadlineAt);
  return due.length > 0 ? Math.min(...due) : null;
}

function takeSignal(draft: Execution, message: SignalMessage): void {
  if (message.delivery !== undefined) {
    if (!draft.mailbox.some(({ id }) => id === message.id)) draft.mailbox.push(message);
    return;
  }
  if (draft.seenSignals.includes(message.id)) return;
  draft.seenSignals = [...draft.seenSignals, message.id].slice(-MAX_SEEN_SIGNALS);
  draft.mailbox.push(message);
}

/** Gives steps that began to wait just now what arrived before them, in the mailbox or as `found`. */
export function absorbMailbox(draft: Execution, found: readonly SignalMessage[] = []): Absorbed {
  const result = nothing();
  for (const message of found) takeSignal(draft, message);
  deliverMailbox(draft, result);
  return result;
}

/** Gives each waiting step the oldest event it takes. */
function deliverMailbox(draft: Execution, result: Absorbed): void {
  for (const wait of draft.waits) {
    const message = draft.mailbox.find((candidate) => takesEvent(wait, candidate) && !hadBefore(draft, wait, candidate));
    if (!message) continue;
    draft.mailbox = draft.mailbox.filter(({ id }) => id !== message.id);
    if (wait.isListed) result.closed.push({ id: wait.id, status: "answered" });
    answerWait(draft, result, wait.id, {
      by: "given",
      principal: null,
      at: message.at,
      data: {
        event: message.event,
        data: message.data,
        eventId: message.delivery?.eventId ?? message.id,
        ...(message.delivery && { source: message.delivery.source }),
      },
    });
    if (message.delivery) rememberTaken(draft, wait, message.delivery);
  }
  // What was addressed to a wait that has ended is still in the event store, where the next one finds it.
  draft.mailbox = draft.mailbox.filter((message) => !message.delivery || draft.waits.some((wait) => isMeantFor(draft, wait, message)));
}

function hadBefore(draft: Execution, wait: Wait, { delivery }: SignalMessage): boolean {
  return delivery !== undefined && isTaken(draft, wait, delivery.receivedId);
}

function isMeantFor(draft: Execution, wait: Wait, message: SignalMessage): boolean {
  return takesEvent(wait, message) && !hadBefore(draft, wait, message);
}
