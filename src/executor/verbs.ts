import { createHash, randomUUID } from "node:crypto";
import { TERMINAL_STATUSES, type Execution, type InboxMessage } from "../definition/execution.ts";
import { deadLetterState } from "../definition/dead-letter.ts";
import { toJson } from "../definition/json.ts";
import { notFound, SignalboxError } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import { checkedEdit, checkStep } from "./edit.ts";
import { takesEvent } from "./event-wait.ts";
import { canonical } from "./canonical.ts";
import type { Actor, Executor } from "./executor.ts";
import { castVote } from "./vote.ts";
import { turnsOf } from "./turns.ts";
import { watchUntil } from "./watch-until.ts";

/** How long a verb waits for its effect before it answers with what is, milliseconds. */
const EFFECT_MS = 2_000;

type Body = InboxMessage["body"];

interface Ask {
  body: Body;
  /** What the actor knew; the execution as it was read, unless told. */
  basedOn?: InboxMessage["basedOn"];
  key: string | undefined;
  /** False: answers with the execution as it was read. */
  isAwaited?: boolean | undefined;
  hasEffect(now: Execution): boolean;
}

type Verbs = Pick<Executor, "cancel" | "pause" | "resume" | "retry" | "dismiss" | "signal" | "answer">;

/**
 * Every verb is a message to the holder of the execution: durable first, then a hint, then a short wait for the effect. Nobody but
 * the holder of the lease ever writes the execution itself.
 */
export function createVerbs({ store, queue, clock }: { store: Store; queue: Queue; clock: Clock }): Verbs {
  async function find(tenant: string, id: string): Promise<Execution> {
    const handle = await store.executions.get(tenant, id);
    if (!handle) throw notFound("execution", id);
    return handle.execution;
  }

  async function send(actor: Actor, execution: Execution, ask: Ask): Promise<Execution> {
    const { body, basedOn = turnsOf(execution), key, isAwaited = true, hasEffect } = ask;
    const message: InboxMessage = {
      id: key === undefined ? randomUUID() : keyedId(key),
      tenant: actor.tenant,
      executionId: execution.id,
      at: isoTime(clock),
      principal: actor.id,
      basedOn,
      ...(key === undefined ? {} : { request: digest(body) }),
      body,
    };
    if (!(await store.inbox.send(message))) {
      // Sent before and not taken in yet. One that is gone meanwhile was taken in, and the record knows its key.
      const known = (await store.inbox.list(actor.tenant, execution.id)).find(({ id }) => id === message.id);
      if (known && known.request !== message.request) throw new SignalboxError("IDEMPOTENCY_MISMATCH");
    }
    await queue.enqueue({ tenant: actor.tenant, executionId: execution.id });
    if (!isAwaited) return execution;
    return await watchUntil({ store, clock }, actor.tenant, execution.id, { timeoutMs: EFFECT_MS, until: hasEffect });
  }

  /** The pause that no step boundary let take effect yet can be taken back. */
  async function isPausing(execution: Execution): Promise<boolean> {
    const { turns } = turnsOf(execution);
    const inbox = await store.inbox.list(execution.tenant, execution.id);
    return inbox.some(({ body, basedOn }) => body.type === "pause" && basedOn?.turns === turns);
  }

  function refuse(execution: Execution, verb: string): never {
    throw new SignalboxError("CONFLICT", `A ${execution.status} execution cannot be ${verb}.`, { details: { status: execution.status } });
  }

  return {
    async cancel(actor, id, reason, { idempotencyKey: key } = {}) {
      const execution = await find(actor.tenant, id);
      const body: Body = { type: "cancel", reason: reason ?? null };
      if (execution.status === "CANCELLED" || isTaken(execution, key, body)) return execution;
      if (isOver(execution)) refuse(execution, "cancelled");
      return await send(actor, execution, { body, key, hasEffect: isOver });
    },
    async pause(actor, id, reason, { idempotencyKey: key } = {}) {
      const execution = await find(actor.tenant, id);
      const body: Body = { type: "pause", reason: reason ?? null };
      if (isTaken(execution, key, body) || execution.status === "PAUSED") return execution;
      if (isOver(execution)) refuse(execution, "paused");
      const { turns } = turnsOf(execution);
      return await send(actor, execution, { body, key, hasEffect: (now) => isOver(now) || turnsOf(now).turns > turns });
    },
    async resume(actor, id, { idempotencyKey: key } = {}) {
      const body: Body = { type: "resume" };
      let execution = await find(actor.tenant, id);
      if (isTaken(execution, key, body)) return execution;
      if (isOver(execution)) refuse(execution, "resumed");
      const isEarly = execution.status !== "PAUSED" && (await isPausing(execution));
      if (execution.status !== "PAUSED" && !isEarly) {
        // It may have been paused just now: then the mail was gone before it was looked for.
        execution = await find(actor.tenant, id);
        if (execution.status !== "PAUSED") refuse(execution, "resumed");
      }
      const { turns, retries } = turnsOf(execution);
      const basedOn = { turns: turns + (isEarly ? 1 : 0), retries };
      return await send(actor, execution, { body, basedOn, key, hasEffect: (now) => isOver(now) || turnsOf(now).turns > basedOn.turns });
    },
    async retry(actor, id, { mode = "retry", output = null, edit, isAwaited, idempotencyKey: key } = {}) {
      const execution = await find(actor.tenant, id);
      const changes = mode === "edit" ? await checkedEdit(store, execution, edit ?? {}) : {};
      const body: Body = { type: "retry", mode, output, ...changes };
      if (isTaken(execution, key, body)) return execution;
      if (deadLetterState(execution) === null) refuse(execution, "retried");
      const failures = execution.waits.filter(({ kind }) => kind === "failure");
      // What was compensated is undone, what ran out of its time is not at a step: there is none to go on at.
      if (failures.length === 0) refuse(execution, "retried: no step of it waits for that");
      checkStep(failures, edit ?? {});
      return await send(actor, execution, { body, key, isAwaited, hasEffect: ({ lastSeq }) => lastSeq > execution.lastSeq });
    },
    async dismiss(actor, id, { note = null, isAwaited, idempotencyKey: key } = {}) {
      const execution = await find(actor.tenant, id);
      const body: Body = { type: "dismiss", note };
      if (isTaken(execution, key, body)) return execution;
      if (deadLetterState(execution) === null) refuse(execution, "dismissed");
      return await send(actor, execution, { body, key, isAwaited, hasEffect: ({ lastSeq }) => lastSeq > execution.lastSeq });
    },
    async signal(actor, id, { event, data = null, eventId, idempotencyKey: key }) {
      const execution = await find(actor.tenant, id);
      const body: Body = { type: "signal", event, data, eventId: eventId ?? null };
      if (isTaken(execution, key, body)) return execution;
      if (isOver(execution)) refuse(execution, "signalled");
      const { lastSeq } = execution;
      const message = { id: eventId ?? "", event, data, at: isoTime(clock) };
      const isAwaited = execution.waits.some((wait) => takesEvent(wait, message));
      return await send(actor, execution, { body, key, hasEffect: (now) => !isAwaited || isOver(now) || now.lastSeq > lastSeq });
    },
    async answer(actor, waitId, data) {
      const { wait, isDecided } = await castVote({ store, clock }, actor, waitId, data);
      if (!isDecided) return wait;
      await queue.enqueue({ tenant: actor.tenant, executionId: wait.executionId });
      const isGone = ({ waits }: Execution) => !waits.some(({ id, answer: given }) => id === waitId && given === null);
      await watchUntil({ store, clock }, actor.tenant, wait.executionId, { timeoutMs: EFFECT_MS, until: isGone });
      return wait;
    },
  };
}

function isOver({ status }: Execution): boolean {
  return TERMINAL_STATUSES.has(status);
}

/** The id of a message under a key: the same however often it is sent. */
function keyedId(key: string): string {
  return `key-${createHash("sha256").update(key).digest("base64url").slice(0, 22)}`;
}

function digest(body: Body): string {
  return createHash("sha256")
    .update(canonical(toJson(body)))
    .digest("base64url")
    .slice(0, 22);
}

/** True where the same was asked under this key before, and taken in. */
function isTaken({ verbs }: Execution, key: string | undefined, body: Body): boolean {
  if (key === undefined) return false;
  const known = verbs?.keyed.find(({ id }) => id === keyedId(key));
  if (known && known.request !== digest(body)) throw new SignalboxError("IDEMPOTENCY_MISMATCH");
  return known !== undefined;
}
