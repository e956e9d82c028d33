import { createHash } from "node:crypto";
import type { EventVia, ParkedEvent } from "../definition/received-event.ts";
import { notFound, SignalboxError } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { EventMessage } from "../ports/event-feed.ts";
import type { ParkedEventStore } from "../ports/inbound-store.ts";
import { takeMessage, type Refusal } from "./event-message.ts";
import type { EventIngest } from "./ingest.ts";

/** Data up to this size is kept whole: as base64, with a hundred attributes, it still is one Firestore document. */
const MAX_KEPT_BYTES = 700_000;
/** What is kept of larger data, for people to see what it is, bytes. */
const SAMPLE_BYTES = 4_096;
/** Attributes are Pub/Sub's: a hundred of a kilobyte at most. Others are cut to that. */
const MAX_ATTRIBUTES = 100;
const MAX_VALUE_LENGTH = 1_024;

/** What is said anew of a message that is redriven. */
export interface Edits {
  /** Text in UTF-8, instead of the data. */
  data?: string | undefined;
  /** Instead of all attributes. */
  attributes?: Record<string, string> | undefined;
}

/** Messages that could not be taken as events: kept, looked at, sent again or thrown away by people. */
export interface Parking {
  /** Keeps a message, durable when the promise resolves; the same message again is one. */
  park(tenant: string, message: EventMessage, via: EventVia, refusal: Refusal): Promise<void>;
  /** NOT_FOUND. */
  get(tenant: string, id: string): Promise<ParkedEvent>;
  /**
   * Takes a parked message in like a new one. It stays PARKED where it is refused again, with the error that says why. CONFLICT where it
   * is not PARKED any more, or where not all of it was kept and no other data is given.
   */
  redrive(tenant: string, id: string, edits: Edits, principal: string): Promise<ParkedEvent>;
  /** CONFLICT where it is not PARKED any more. */
  discard(tenant: string, id: string, principal: string): Promise<ParkedEvent>;
}

export interface ParkingOptions {
  store: ParkedEventStore;
  ingest: EventIngest;
  clock: Clock;
  /** How long parked messages are kept, milliseconds. */
  keepMs: number;
  /** Longest data of an event, bytes. */
  maxBytes: number;
  onParked?: ((refusal: Refusal, via: EventVia) => void) | undefined;
}

export function createParking({ store, ingest, clock, keepMs, maxBytes, onParked }: ParkingOptions): Parking {
  async function get(tenant: string, id: string): Promise<ParkedEvent> {
    const parked = await store.get(tenant, id);
    if (!parked) throw notFound("parked event", id);
    return parked;
  }

  async function parkedOnly(tenant: string, id: string): Promise<ParkedEvent> {
    const parked = await get(tenant, id);
    if (parked.status !== "PARKED") throw settledAlready(parked);
    return parked;
  }

  async function settle(parked: ParkedEvent, status: "REDRIVEN" | "DISCARDED", principal: string, receivedId: string | null) {
    const settled = { at: isoTime(clock), principal, receivedId };
    const { tenant, id } = parked;
    if (!(await store.settle(tenant, id, status, settled))) throw settledAlready(await get(tenant, id));
    return { ...parked, status, settled };
  }

  return {
    async park(tenant, message, via, { code, reason }) {
      const { id, data, attributes, publishedAt, origin } = message;
      const isTruncated = data.length > MAX_KEPT_BYTES;
      const kept = Buffer.from(isTruncated ? data.subarray(0, SAMPLE_BYTES) : data);
      const isNew = await store.add({
        id: parkedIdOf(via, message),
        tenant,
        code,
        reason: reason.slice(0, 2_000),
        via,
        origin,
        messageId: id,
        publishedAt,
        parkedAt: isoTime(clock),
        attributes: bounded(attributes),
        data: kept.toString("base64"),
        bytes: data.length,
        sha256: createHash("sha256").update(data).digest("hex"),
        isTruncated,
        status: "PARKED",
        settled: null,
        expireAt: clock.now() + keepMs,
      });
      if (isNew) onParked?.({ code, reason }, via);
    },

    get,

    async redrive(tenant, id, { data, attributes }, principal) {
      const parked = await parkedOnly(tenant, id);
      if (parked.isTruncated && data === undefined) {
        throw new SignalboxError(
          "CONFLICT",
          `Only the first ${SAMPLE_BYTES} of its ${parked.bytes} bytes were kept; send the data with the request.`,
        );
      }
      const message: EventMessage = {
        id: parked.messageId,
        data: Buffer.from(data ?? parked.data, data === undefined ? "base64" : "utf8"),
        attributes: attributes ?? parked.attributes,
        publishedAt: parked.publishedAt,
        origin: parked.origin,
      };
      const taken = await takeMessage(ingest, tenant, message, { via: parked.via, maxBytes });
      if ("code" in taken) throw new SignalboxError(taken.code, `It is refused again: ${taken.reason}`);
      return await settle(parked, "REDRIVEN", principal, taken.receivedId);
    },

    async discard(tenant, id, principal) {
      return await settle(await parkedOnly(tenant, id), "DISCARDED", principal, null);
    },
  };
}

function parkedIdOf(via: EventVia, { origin, id, data }: EventMessage): string {
  // A message without an id is told by its content.
  const identity = id === "" ? createHash("sha256").update(data).digest("hex") : id;
  return createHash("sha256")
    .update(JSON.stringify([via, origin, identity]))
    .digest("base64url")
    .slice(0, 22);
}

function bounded(attributes: EventMessage["attributes"]): Record<string, string> {
  const entries = Object.entries(attributes).slice(0, MAX_ATTRIBUTES);
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(0, 256), value.slice(0, MAX_VALUE_LENGTH)]));
}

function settledAlready({ id, status, settled }: ParkedEvent): SignalboxError {
  return new SignalboxError("CONFLICT", `The parked event "${id}" is ${status} already.`, {
    details: { status, by: settled?.principal, at: settled?.at },
  });
}
