import type { z } from "zod";
import type { Json } from "../definition/json.ts";
import type { HttpFetch } from "../outbound/http.ts";

/**
 * A named handler: one file `<name>.action.ts` in this folder or in the operator's own (`SIGNALBOX_STEPS`). Steps of the type `action`
 * and agents call it; retry, timeout, events and recovery are theirs.
 */
export interface Action<I = unknown> {
  /** Words of letters, digits, `_` and `-`, joined by dots: "invoice.send". */
  name: string;
  title: string;
  description: string;
  input: z.ZodType<I>;
  /** How a repeat after a crash is treated where the step does not say: `once` is never repeated without asking. */
  effect: "none" | "idempotent" | "once";
  /** Its result as JSON. Whatever it throws fails the attempt; a SignalboxError says whether to try again. */
  run(context: ActionContext<I>): Promise<Json> | Json;
}

/** All an action can do. Capabilities are given, never imported, so that its test is a literal object. */
export interface ActionContext<I = unknown> {
  /** Checked against the action's schema. */
  input: I;
  executionId: string;
  workflowId: string;
  tenant: string;
  stepId: string;
  /** The same on every attempt of this call and after every crash. */
  idempotencyKey: string;
  attempt: number;
  /** Aborted on cancel, timeout and loss of the lease. */
  signal: AbortSignal;
  now(): number;
  /** W3C trace context of the visit, for clients that bring their own HTTP; `fetch` sends it by itself. */
  traceparent?: string | undefined;
  /** Asks somebody outside, through the guard. */
  fetch: HttpFetch;
  log(message: string, fields?: Record<string, unknown>): void;
}

/** The actions this process knows. */
export interface Actions {
  get(name: string): Action | undefined;
  /** All of them by name. */
  list(): Action[];
}

export const ACTION_NAME = /^[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*$/;

/** Declares an action; the input's type is inferred from its schema. */
export function defineAction<I>(action: Action<I>): Action<I> {
  return action;
}
