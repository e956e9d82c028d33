import { randomUUID } from "node:crypto";
import { TERMINAL_STATUSES, type Execution, type InboxMessage } from "../definition/execution.ts";
import { notFound, SignalboxError } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import { takesEvent } from "./event-wait.ts";
import type { Actor, Executor } from "./executor.ts";
import { castVote } from "./vote.ts";
import { watchUntil } from "./watch-until.ts";

/** How long a verb waits for its effect before it answers with what is, milliseconds. */
const EFFECT_MS = 2_000;

type Body = InboxMessage["body"];
type Verbs = Pick<Executor, "cancel" | "pause" | "resume" | "retry" | "signal" | "answer">;

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

  async function send(actor: Actor, execution: Execution, body: Body, hasEffect: (now: Execution) => boolean): Promise<Execution> {
    const message: InboxMessage = {
      id: randomUUID(),
      tenant: actor.tenant,
      executionId: execution.id,
      at: isoTime(clock),
      principal: actor.id,
      body,
    };
    await store.inbox.send(message);
    await queue.enqueue({ tenant: actor.tenant, executionId: execution.id });
    return await watchUntil({ store, clock }, actor.tenant, execution.id, { timeoutMs: EFFECT_MS, until: hasEffect });
  }

  function refuse(execution: Execution, verb: string): never {
    throw new SignalboxError("CONFLICT", `A ${execution.status} execution cannot be ${verb}.`, { details: { status: execution.status } });
  }

  return {
    async cancel(actor, id, reason) {
      const execution = await find(actor.tenant, id);
      if (execution.status === "CANCELLED") return execution;
      if (TERMINAL_STATUSES.has(execution.status)) refuse(execution, "cancelled");
      return await send(actor, execution, { type: "cancel", reason: reason ?? null }, ({ status }) => TERMINAL_STATUSES.has(status));
    },
    async pause(actor, id, reason) {
      const execution = await find(actor.tenant, id);
      if (execution.status === "PAUSED") return execution;
      if (TERMINAL_STATUSES.has(execution.status)) refuse(execution, "paused");
      return await send(
        actor,
        execution,
        { type: "pause", reason: reason ?? null },
        ({ status }) => status === "PAUSED" || TERMINAL_STATUSES.has(status),
      );
    },
    async resume(actor, id) {
      const execution = await find(actor.tenant, id);
      if (execution.status !== "PAUSED") refuse(execution, "resumed");
      return await send(actor, execution, { type: "resume" }, ({ status }) => status !== "PAUSED");
    },
    async retry(actor, id, { mode = "retry", output = null } = {}) {
      const execution = await find(actor.tenant, id);
      if (execution.status !== "FAILED") refuse(execution, "retried");
      // What failed and was compensated is undone; there is no step left to go on at.
      if (!execution.waits.some(({ kind }) => kind === "failure")) refuse(execution, "retried after its compensation");
      return await send(actor, execution, { type: "retry", mode, output }, ({ lastSeq }) => lastSeq > execution.lastSeq);
    },
    async signal(actor, id, { event, data = null, eventId }) {
      const execution = await find(actor.tenant, id);
      if (TERMINAL_STATUSES.has(execution.status)) refuse(execution, "signalled");
      const { lastSeq } = execution;
      const message = { id: eventId ?? "", event, data, at: isoTime(clock) };
      const isAwaited = execution.waits.some((wait) => takesEvent(wait, message));
      const hasEffect = (now: Execution) => !isAwaited || now.lastSeq > lastSeq;
      return await send(actor, execution, { type: "signal", event, data, eventId: eventId ?? null }, hasEffect);
    },
    async answer(actor, waitId, data) {
      const { wait, isDecided } = await castVote({ store, clock }, actor, waitId, data);
      if (!isDecided) return wait;
      await queue.enqueue({ tenant: actor.tenant, executionId: wait.executionId });
      const isTaken = ({ waits }: Execution) => !waits.some(({ id, answer: given }) => id === waitId && given === null);
      await watchUntil({ store, clock }, actor.tenant, wait.executionId, { timeoutMs: EFFECT_MS, until: isTaken });
      return wait;
    },
  };
}
