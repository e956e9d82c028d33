import type { CreateSubscriptionOptions, PubSub } from "@google-cloud/pubsub";
import { SignalboxError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { CALL_DEADLINE_MS, CODE, statusOf, within } from "./client.ts";

/** A topic and its subscription of the same name. */
export interface ChannelOptions {
  client: PubSub;
  name: string;
  clock: Clock;
  /** True: what is missing is created. On the emulator it always is. */
  create: boolean;
  /** Settings of a subscription that is created; undefined: there is none. */
  settings: CreateSubscriptionOptions | undefined;
}

/**
 * Makes sure that the topic, or the topic and the subscription, are there. NOT_FOUND names what is missing and may not be created;
 * UNAVAILABLE where Pub/Sub cannot be asked. Whoever may use a thing but not look at it is believed that it is there: the roles
 * `pubsub.publisher` and `pubsub.subscriber` alone do not let anybody look.
 */
export async function ensureChannel({ client, name, clock, create, settings }: ChannelOptions, ends: "topic" | "both"): Promise<void> {
  const gaxOpts = { timeout: CALL_DEADLINE_MS };
  const topic = client.topic(name);
  const subscription = client.subscription(name);
  if (create || client.isEmulator) {
    await made(within(topic.create(gaxOpts), clock));
    if (settings) await made(within(client.createSubscription(topic, name, { ...settings, gaxOpts }), clock));
    return;
  }
  await found(within(topic.getMetadata(gaxOpts), clock), topic.name);
  if (ends === "both") await found(within(subscription.getMetadata(gaxOpts), clock), subscription.name);
}

async function made(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (statusOf(error) !== CODE.ALREADY_EXISTS) throw channelError(error);
  }
}

async function found(call: Promise<unknown>, path: string): Promise<void> {
  try {
    await call;
  } catch (error) {
    const status = statusOf(error);
    if (status === CODE.PERMISSION_DENIED) return;
    if (status !== CODE.NOT_FOUND) throw channelError(error);
    throw new SignalboxError(
      "NOT_FOUND",
      `Pub/Sub has no ${path}. Create it, or let the service do it with SIGNALBOX_PUBSUB_CREATE=true.`,
      {
        details: { kind: "pubsub", id: path },
      },
    );
  }
}

function channelError(error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const status = statusOf(error);
  if (status === undefined) return new SignalboxError("INTERNAL", undefined, { cause: error });
  if (status === CODE.PERMISSION_DENIED)
    return new SignalboxError("FORBIDDEN", "Pub/Sub does not let this account create topics or subscriptions.", { cause: error });
  return new SignalboxError("UNAVAILABLE", `Pub/Sub answered with status ${status}.`, { cause: error, details: { status } });
}
