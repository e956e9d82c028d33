import { expect, test } from "vitest";
import { report } from "./report.ts";
import { runTrial } from "./trial.ts";

// `npm run chaos:local` is the same with 50 kills, 40 executions and a seed of its own.
test("executions outlive kill -9 of the whole service: each ends once, nothing finished is repeated, no decision is asked again", async () => {
  const trial = await runTrial({ seed: 20, kills: 25, executions: 24, budgetMs: 40_000 });
  console.log(report(trial));
  expect(trial.violations).toEqual([]);
  expect(trial.kills.filter(({ open }) => open > 0).length).toBeGreaterThan(trial.kills.length / 2);
});
