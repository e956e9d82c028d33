import { expect, test } from "vitest";
import { report } from "./report.ts";
import { runTrial } from "./trial.ts";

// `npm run chaos:local` is the same with 50 kills, 40 executions and a seed of its own.
test("executions outlive kill -9 of the whole service: each ends once, nothing finished is repeated, no decision is asked again", async () => {
  // 25 s of kills at most; the rest is for a machine that needs long to come to rest.
  const trial = await runTrial({ seed: 20, kills: 12, executions: 24, budgetMs: 25_000 });
  expect(trial.violations, report(trial)).toEqual([]);
  // A slow machine takes five kills in that time, and some come after the last end: a trial that hit nothing would say nothing.
  expect(trial.kills.filter(({ open }) => open > 0).length, report(trial)).toBeGreaterThan(0);
}, 300_000);
