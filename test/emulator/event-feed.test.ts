import { PubSub } from "@google-cloud/pubsub";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openEventFeed } from "../../src/adapters/open-event-feed.ts";
import type { EventFeed } from "../../src/ports/event-feed.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";
import { emulated, newProject } from "./projects.ts";

const PATIENT = { timeout: 20_000, interval: 20 };
const SLOT_LOOK_MS = 50;

describe.runIf(emulated)("events pulled from Pub/Sub", () => {
  let clock: ManualClock;
  let client: PubSub;
  let feed: EventFeed;
  let taken: string[];
  beforeEach(async () => {
    const project = newProject();
    clock = manualClock();
    client = new PubSub({ projectId: project });
    taken = [];
    const opened = await openEventFeed(`pubsub:${project}`, { prefix: "signalbox", create: true, clock, log: () => {} });
    if (!opened) throw new Error("it is there");
    feed = opened;
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    // What the end waits for is timed by the clock nobody moves.
    const closed = feed.close();
    clock.advance(10_000);
    await closed;
    await client.close();
  });

  const publish = async (text: string) => await client.topic("signalbox-events").publishMessage({ data: Buffer.from(text) });
  const take = async ({ data }: { data: Uint8Array }) => void taken.push(Buffer.from(data).toString());

  test("a stream that brought nothing for a minute is opened anew, and messages go on coming", async () => {
    const asked = vi.spyOn(PubSub.prototype, "subscription");
    // Streams are told how much they may hold, whoever looks or creates is not.
    const streams = () => asked.mock.calls.filter(([, options]) => options !== undefined && "flowControl" in options).length;
    await feed.consume(take);
    await publish("first");
    await expect.poll(() => taken, PATIENT).toEqual(["first"]);
    expect(streams()).toBe(1);
    clock.advance(59_000);
    await publish("second");
    await expect.poll(() => taken, PATIENT).toEqual(["first", "second"]);
    // The look at the minute finds it was not silent, the next one that it was.
    clock.advance(1_000);
    expect(streams()).toBe(1);
    clock.advance(60_000);
    await expect.poll(streams, PATIENT).toBe(2);
    await publish("third");
    await expect.poll(() => taken, PATIENT).toEqual(["first", "second", "third"]);
  });

  test("a message waits a second for a free slot, then is taken all the same; with a slot it is taken at the next look", async () => {
    let looks = 0;
    let free = 0;
    await feed.consume(take, {
      freeSlots() {
        looks += 1;
        return free;
      },
    });
    await publish("in vain");
    for (let look = 1; look <= 20; look += 1) {
      await expect.poll(() => looks, PATIENT).toBe(look);
      expect(taken).toEqual([]);
      clock.advance(SLOT_LOOK_MS);
    }
    await expect.poll(() => taken, PATIENT).toEqual(["in vain"]);
    looks = 0;
    await publish("in time");
    await expect.poll(() => looks, PATIENT).toBe(1);
    free = 1;
    clock.advance(SLOT_LOOK_MS);
    await expect.poll(() => taken, PATIENT).toEqual(["in vain", "in time"]);
  });
});
