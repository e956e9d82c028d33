import { createHash, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { StepPlace } from "../compiler/host.ts";
import { TERMINAL_STATUSES, type Execution } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { OpenWait } from "../definition/wait.ts";
import { notFound, SignalboxError } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";

const TOKEN_BYTES = 32;

/** An address that brings a visit on, once. */
export interface OpenedCallback {
  url: string;
  /** Id of the wait it answers, and name of the event that does. */
  waitId: string;
}

/**
 * A new token for a visit, with what must be durable before anybody is given it. Each attempt has its own, because only the digest of
 * a token is kept; all of them answer the one wait of the visit, so that a receiver that knows the first attempt is heard as well.
 */
export function newCallback(execution: Execution, place: StepPlace, { publicUrl, at }: { publicUrl: string | undefined; at: string }) {
  if (publicUrl === undefined) {
    throw new SignalboxError("REQUEST_REFUSED", "Set SIGNALBOX_PUBLIC_URL: nobody could call back.", {
      details: { code: "NO_PUBLIC_URL", happened: false },
    });
  }
  const token = `${encodeURIComponent(execution.tenant)}.${randomBytes(TOKEN_BYTES).toString("base64url")}`;
  const waitId = `callback-${execution.id}/${place.path}/${place.visit}`;
  const row = (id: string, request: JsonObject): OpenWait => ({
    id,
    tenant: execution.tenant,
    executionId: execution.id,
    workflowId: execution.workflowId,
    kind: "callback",
    stepId: place.stepId,
    path: place.path,
    visit: place.visit,
    status: "open",
    title: "Callback",
    request,
    createdAt: at,
    expiresAt: null,
    answer: null,
  });
  const callback: OpenedCallback = { url: `${publicUrl.replace(/\/+$/, "")}/callbacks/${token}`, waitId };
  return { callback, openWaits: [row(waitId, {}), row(digestOf(token), { waitId })] };
}

/**
 * Takes the call of a receiver, once for a visit: its body becomes a message to the execution, in the commit that uses the address up.
 * It is kept where the step has not parked yet. NOT_FOUND for a token that is none; CALLBACK_OVER for one that is used up or late; the
 * same call again is answered as the first was.
 */
export function createCallbacks({ store, queue, clock }: { store: Store; queue: Queue; clock: Clock }) {
  return async (token: string, body: Json): Promise<{ executionId: string; isRepeat: boolean }> => {
    const tenant = tenantOf(token);
    const issued = tenant === undefined ? undefined : await store.waits.get(tenant, digestOf(token));
    const waitId = issued?.request["waitId"];
    if (tenant === undefined || !issued || typeof waitId !== "string") throw notFound("callback", "with this token");
    const { executionId } = issued;
    const handle = await store.executions.get(tenant, executionId);
    const at = isoTime(clock);
    const event = { type: "signal" as const, event: waitId, data: body, eventId: waitId };
    const message = { id: waitId, tenant, executionId, at, principal: "callback", body: event };
    const answer = { by: "given" as const, principal: null, at, data: { body } };
    const isOpen = handle !== undefined && isUnderWay(handle.execution, issued);
    const result = isOpen ? await store.waits.answer(tenant, waitId, "answered", answer, message) : undefined;
    if (result?.accepted) {
      await queue.enqueue({ tenant, executionId });
      return { executionId, isRepeat: false };
    }
    const wait = result?.wait ?? (await store.waits.get(tenant, waitId));
    if (wait?.status === "answered" && isDeepStrictEqual(wait.answer?.data["body"], body)) return { executionId, isRepeat: true };
    throw new SignalboxError("CALLBACK_OVER", undefined, { details: { status: wait?.status ?? "cancelled" } });
  };
}

/** The visit is at work, waits for the call, or for another attempt. */
function isUnderWay({ status, inFlight, waits }: Execution, { path, visit }: OpenWait): boolean {
  if (TERMINAL_STATUSES.has(status)) return false;
  return inFlight[path]?.visit === visit || waits.some((wait) => wait.path === path && wait.visit === visit);
}

function digestOf(token: string): string {
  return `callback-${createHash("sha256").update(token).digest("base64url")}`;
}

function tenantOf(token: string): string | undefined {
  const [tenant, secret, ...rest] = token.split(".");
  if (!tenant || !secret || rest.length > 0) return undefined;
  try {
    return decodeURIComponent(tenant);
  } catch {
    return undefined;
  }
}
