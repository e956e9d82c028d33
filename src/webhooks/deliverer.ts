import type { WebhookAttempt, WebhookDelivery, WebhookEndpoint } from "../definition/webhook.ts";
import type { Clock } from "../ports/clock.ts";
import type { WebhookStore } from "../ports/webhook-store.ts";
import type { Endpoints } from "./endpoints.ts";
import { nextTryAt } from "./retry-schedule.ts";
import { isTaken, type Send } from "./sender.ts";

/** Deliveries per look, and tries side by side. */
const BATCH = 100;
const AT_ONCE = 16;
/** For one try and the note of it; whoever began it is taken to be dead after that, milliseconds. */
const LEASE_MS = 60_000;
const MAX_LOGGED = 20;
const NUDGE_MS = 5;
const GONE = 410;

export type DeliveryOutcome = "delivered" | "retried" | "failed";

export interface Deliverer {
  /** Looks once for deliveries whose time has come, until there are none. */
  look(): Promise<void>;
  /** There is something new. */
  nudge(): void;
  stop(): Promise<void>;
}

export interface DelivererOptions {
  store: WebhookStore;
  endpoints: Endpoints;
  send: Send;
  clock: Clock;
  everyMs: number;
  maxTries: number;
  /** An endpoint that took nothing for this long is disabled, milliseconds. */
  disableAfterMs: number;
  onAttempt?: ((outcome: DeliveryOutcome) => void) | undefined;
  log(message: string, fields: Record<string, unknown>): void;
}

/** Makes deliveries, each try by one process only: who moves `nextAt` first has it. */
export function startDeliverer(options: DelivererOptions): Deliverer {
  const { store, endpoints, send, clock, everyMs, maxTries, disableAfterMs, onAttempt, log } = options;
  let isStopped = false;
  let running: Promise<void> | undefined;
  let cancelNext = () => {};
  let cancelNudge: (() => void) | undefined;

  async function attempt(due: WebhookDelivery): Promise<void> {
    const taken = { ...due, nextAt: clock.now() + LEASE_MS, revision: due.revision + 1 };
    if (!(await store.putDelivery(taken, due.revision))) return;
    const endpoint = await store.endpoint(due.tenant, due.endpointId);
    if (!endpoint?.enabled) {
      const error = endpoint ? "The endpoint is disabled." : "The endpoint is gone.";
      await note(taken, { at: new Date(clock.now()).toISOString(), status: null, latencyMs: 0, error, response: null }, null);
      return;
    }
    const result = await send(endpoint, taken);
    const isGone = result.status === GONE;
    const nextAt = isTaken(result) || isGone ? null : nextTryAt(taken.tries + 1, { now: clock.now(), maxTries });
    await note(taken, result, nextAt);
    await judge(endpoint, result, { isGone, isLast: nextAt === null });
  }

  async function note(taken: WebhookDelivery, result: WebhookAttempt, nextAt: number | null): Promise<void> {
    const status = isTaken(result) ? "delivered" : nextAt === null ? "failed" : "pending";
    const attempts = [...taken.attempts, result].slice(-MAX_LOGGED);
    const { attemptCount, tries, revision } = taken;
    await store.putDelivery(
      { ...taken, status, attempts, attemptCount: attemptCount + 1, tries: tries + 1, nextAt, revision: revision + 1 },
      revision,
    );
    onAttempt?.(status === "pending" ? "retried" : status);
  }

  /** Keeps in mind since when nothing was taken; written when that changes, not with every try. */
  async function judge(
    endpoint: WebhookEndpoint,
    result: WebhookAttempt,
    { isGone, isLast }: { isGone: boolean; isLast: boolean },
  ): Promise<void> {
    const { tenant, id, failingSince } = endpoint;
    if (isTaken(result)) {
      if (failingSince !== null) await endpoints.change(tenant, id, () => ({ failingSince: null }));
      return;
    }
    const isLost = isLast && failingSince !== null && clock.now() - Date.parse(failingSince) >= disableAfterMs;
    const reason = isGone ? "The receiver answered 410: it is gone." : `It took nothing since ${failingSince ?? ""}.`;
    if (isGone || isLost) {
      await endpoints.change(tenant, id, ({ enabled }) => (enabled ? { enabled: false, disabledReason: reason } : undefined));
      log("webhook endpoint disabled", { endpointId: id, reason });
    } else if (failingSince === null) await endpoints.change(tenant, id, () => ({ failingSince: result.at }));
  }

  async function lookOnce(): Promise<void> {
    for (;;) {
      const due = await store.due(clock.now(), BATCH);
      for (let from = 0; from < due.length && !isStopped; from += AT_ONCE) {
        await Promise.all(due.slice(from, from + AT_ONCE).map(guarded));
      }
      if (due.length < BATCH || isStopped) return;
    }
  }

  async function guarded(due: WebhookDelivery): Promise<void> {
    try {
      await attempt(due);
    } catch (error) {
      // Its lease ends, and somebody tries again with the same id.
      log("delivery not noted", { deliveryId: due.id, error: error instanceof Error ? error.message : String(error) });
    }
  }

  function look(): Promise<void> {
    running ??= lookOnce()
      .catch((error: unknown) => log("deliveries cannot be looked at", { error: error instanceof Error ? error.message : String(error) }))
      .finally(() => (running = undefined));
    return running;
  }

  function again(): void {
    cancelNext = clock.after(everyMs * (0.8 + Math.random() * 0.4), () => void look().then(() => !isStopped && again()));
  }

  again();
  return {
    look,
    nudge() {
      cancelNudge ??= clock.after(NUDGE_MS, () => {
        cancelNudge = undefined;
        if (!isStopped) void (running ?? Promise.resolve()).then(look);
      });
    },
    async stop() {
      isStopped = true;
      cancelNext();
      cancelNudge?.();
      await running;
    },
  };
}
