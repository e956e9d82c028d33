import { describe, expect, test } from "vitest";
import { chaosReport } from "../e2e/chaos/report.ts";
import { runChaos } from "../e2e/chaos/trial.ts";
import { emulated, firestoreAddress } from "./projects.ts";

describe.runIf(emulated)("three processes on one Firestore", () => {
  // `npm run chaos` is the same with 300 executions, a seed and minutes of its own.
  test("kills, stops and a bad network lose nothing, repeat nothing at a receiver that deduplicates, and leave nothing stuck", async () => {
    const trial = await runChaos({ seed: 3, executions: 40, troubleMs: 15_000, firestore: firestoreAddress });
    expect(trial.losses, chaosReport(trial)).toEqual([]);
    expect(trial.troubles.length).toBeGreaterThan(3);
  }, 300_000);
});
