import { z } from "zod";
import { JsonRecord } from "../../definition/json.ts";
import { EventVia, ParkedStatus, type ParkedEvent } from "../../definition/received-event.ts";

/** A message that could not be taken as an event, as clients see it. */
export const ParkedEventView = z
  .object({
    id: z.string(),
    status: ParkedStatus,
    code: z.string().describe("Error code of the refusal"),
    reason: z.string(),
    via: EventVia,
    origin: z.string().describe("Topic or subscription it came from"),
    messageId: z.string(),
    publishedAt: z.string(),
    parkedAt: z.string(),
    expiresAt: z.string(),
    attributes: JsonRecord,
    text: z.string().nullable().describe("The data, where it is text in UTF-8"),
    base64: z.string().describe("The data's bytes; the first 4 KiB of data that is truncated"),
    bytes: z.number().int().describe("Size of the whole data"),
    sha256: z.string().describe("Digest of the whole data"),
    isTruncated: z.boolean().describe("true: it was too large to be kept whole and can be redriven only with data given anew"),
    settledAt: z.string().nullable(),
    settledBy: z.string().nullable(),
    receivedId: z.string().nullable().describe("The event it became"),
  })
  .meta({ id: "ParkedEvent" });
export type ParkedEventView = z.infer<typeof ParkedEventView>;

export function parkedEventView({ tenant: _tenant, data, expireAt, settled, ...parked }: ParkedEvent): ParkedEventView {
  return {
    ...parked,
    attributes: { ...parked.attributes },
    expiresAt: new Date(expireAt).toISOString(),
    text: textOf(Buffer.from(data, "base64")),
    base64: data,
    settledAt: settled?.at ?? null,
    settledBy: settled?.principal ?? null,
    receivedId: settled?.receivedId ?? null,
  };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
