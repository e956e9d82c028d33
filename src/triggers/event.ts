import { z } from "zod";
import { JsonValue, type Json } from "../definition/json.ts";
import type { IncomingEvent } from "../definition/received-event.ts";

const EXTENSION = /^[a-z0-9]{1,20}$/;
const Attribute = z.union([z.string().max(1_024), z.number(), z.boolean()]);

/** A CloudEvent in its structured JSON form (`application/cloudevents+json`), read. */
export const CloudEvent = z
  .object({
    specversion: z.literal("1.0"),
    id: z.string().min(1).max(255),
    source: z.string().min(1).max(1_024),
    type: z.string().min(1).max(255),
    subject: z.string().min(1).max(1_024).optional(),
    time: z.iso.datetime({ offset: true }).optional(),
    datacontenttype: z
      .string()
      .regex(/^[\w.+-]+\/(?:[\w.+-]+\+)?json\b/i, "must be a JSON type; other data is not taken")
      .optional(),
    dataschema: z.string().max(1_024).optional(),
    data: JsonValue.optional(),
    data_base64: z.never("is not taken; send the data as JSON").optional(),
  })
  .catchall(Attribute)
  .superRefine((event, context) => {
    for (const name of Object.keys(event)) {
      if (name !== "data_base64" && !EXTENSION.test(name)) {
        context.addIssue({ code: "custom", path: [name], message: "must be named with 1 to 20 lowercase letters and digits" });
      }
    }
  })
  .transform(
    ({
      specversion: _version,
      datacontenttype: _content,
      dataschema,
      data_base64: _binary,
      id,
      source,
      type,
      subject,
      time,
      data,
      ...more
    }) => {
      const extensions = { ...more, ...(dataschema !== undefined && { dataschema }) };
      const event: IncomingEvent = { id, source, type, data: data ?? null };
      if (subject !== undefined) event.subject = subject;
      if (time !== undefined) event.time = time;
      if (Object.keys(extensions).length > 0) event.extensions = extensions;
      return event;
    },
  );

/** The event as expressions see it: what it does not have is null, so that `event.subject == 'x'` is false and not an error. */
export function eventScope({ id, source, type, subject, time, data, extensions, params }: IncomingEvent): Record<string, Json> {
  return { id, source, type, subject: subject ?? null, time: time ?? null, data, extensions: extensions ?? {}, ...(params && { params }) };
}
