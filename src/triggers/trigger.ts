import type { z } from "zod";
import type { JsonObject } from "../definition/json.ts";
import type { IncomingEvent } from "../definition/received-event.ts";
import type { Issue } from "../errors.ts";
import type { Schedule } from "./ticks.ts";
import type { WebhookAuth } from "./webhook-auth.ts";

/** What wakes a trigger, read off its config. */
export type Wake =
  /** Only who fires it by name. */
  | { on: "nothing" }
  /** An event of this type, from this source where one is given. */
  | { on: "event"; eventType: string; source?: string | undefined }
  /** A request to `/hooks/{tenant}/{path}`. */
  | { on: "request"; path: string; auth: WebhookAuth; respond: "ack" | "wait" }
  /** The end of an execution of one of these workflows, or of any other one. */
  | { on: "completion"; workflowIds?: string[] | undefined; statuses: ("COMPLETED" | "FAILED" | "CANCELLED")[] }
  /** The ticks of a schedule. */
  | { on: "time"; schedule: Schedule };

/** A kind of trigger: one file `<name>.trigger.ts`. */
export interface TriggerType<C = never> {
  type: string;
  title: string;
  description: string;
  config: z.ZodType<C>;
  wake(config: C): Wake;
  /** The event as triggers of this type see it; undefined for one that is not meant. */
  prepare?(config: C, event: IncomingEvent): IncomingEvent | undefined;
  /** JSON Schema that `event.data` must fit, where the config has one. */
  dataSchema?(config: C): JsonObject | undefined;
  /** Further problems of a config that fits its schema, with pointers that start at `/config`. */
  check?(config: C): Issue[];
}

/**
 * Declares a trigger type.
 *
 * @example
 * export default defineTrigger({ type: "order", title: "Order", description: "An order was paid.",
 *   config: z.strictObject({}), wake: () => ({ on: "event", eventType: "shop.order.paid" }) });
 */
export function defineTrigger<C>(type: TriggerType<C>): TriggerType {
  // A registry holds types of any config; each is only ever given what its own schema has parsed.
  return type as unknown as TriggerType;
}
