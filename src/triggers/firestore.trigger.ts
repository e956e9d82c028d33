import { z } from "zod";
import { addressOf, paramsOf, plainChange } from "./firestore-document.ts";
import { defineTrigger } from "./trigger.ts";

const PART = /^(\{[A-Za-z_]\w*\}|[^/{}]+)$/;

export default defineTrigger({
  type: "firestore",
  title: "Firestore document",
  description: "A document was created, updated or deleted; Eventarc says so through /push/pubsub.",
  config: z.strictObject({
    document: z
      .string()
      .max(1_024)
      .refine((path) => path.split("/").every((part) => PART.test(part)), "must be parts parted by /, each a name or {param}")
      .refine((path) => path.split("/").length % 2 === 0, "must lead to a document: collection/document, an even number of parts")
      .describe("Path of the documents: `orders/{orderId}`; `event.params` has what stands for the names in braces"),
    on: z.enum(["created", "updated", "deleted", "written"]).describe("As the Eventarc trigger says; `written` is any of the others"),
    database: z.string().min(1).max(128).default("(default)"),
  }),
  wake: ({ on }) => ({ on: "event", eventType: `google.cloud.firestore.document.v1.${on}` }),
  prepare({ document, database }, event) {
    const address = addressOf(event.source, event.subject);
    const params = address?.database === database ? paramsOf(document, address.path) : undefined;
    return address && params && { ...event, params, data: plainChange(event.data, address.path) };
  },
});
