import { Subscription, type Message } from "@google-cloud/pubsub";

// Loaded before the service by the control arm only: a message is acknowledged as it arrives, and the count must see what dies with a pod.
const { emit } = Subscription.prototype;
Reflect.set(Subscription.prototype, "emit", function early(this: Subscription, name: string, ...given: unknown[]): unknown {
  if (name === "message") (given[0] as Message).ack(); // what the client emits under this name
  return Reflect.apply(emit, this, [name, ...given]);
});
