import { describe, expect, inject, test } from "vitest";
import { pubsubOutage } from "../e2e/relay/outage.ts";
import { emulated, newProject } from "./projects.ts";

describe.runIf(emulated)("events out", () => {
  test(
    "an outage of Pub/Sub and a kill before the note: every event is published, in order without its copies",
    { timeout: 120_000 },
    async () => {
      const result = await pubsubOutage({
        pubsub: inject("emulators")?.pubsub ?? "",
        project: newProject(),
        executions: 8,
        outageMs: 1_500,
      });
      console.log(`${result.received} messages for ${result.expected} events, all there ${result.catchUpMs} ms after Pub/Sub was back`);
      expect(result.faults).toEqual([]);
      expect(result).toMatchObject({ started: 24, completedWhileAway: 8 });
      expect(result.copies).toBeGreaterThan(0);
    },
  );
});
