import { parseArgs } from "node:util";
import fc from "fast-check";
import { cases } from "./definitions.ts";
import { createProperty } from "./property.ts";

const { values } = parseArgs({
  options: { seed: { type: "string" }, runs: { type: "string", default: "5000" }, path: { type: "string" } },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const numRuns = Number(values.runs);
if (!Number.isInteger(seed) || !Number.isInteger(numRuns)) {
  console.error("usage: npm run properties -- [--seed N] [--runs N] [--path P]");
  process.exit(64);
}

/** A smaller case is looked for this long after the first failure, milliseconds. */
const SHRINK_MS = 30_000;

// The service's own timers keep no process alive.
const alive = setInterval(() => {}, 60_000);
let shrinkUntil: number | undefined;
const begun = performance.now();
await using property = await createProperty();
const result = await fc.check(
  fc.asyncProperty(cases, async (given) => {
    if (shrinkUntil !== undefined && performance.now() > shrinkUntil) return;
    try {
      await property.check(given);
    } catch (error) {
      shrinkUntil ??= performance.now() + SHRINK_MS;
      throw error;
    }
  }),
  { seed, numRuns, endOnFailure: false, ...(values.path === undefined ? {} : { path: values.path }) },
);
const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
console.log(JSON.stringify({ seed, runs: result.numRuns, seconds: Number(seconds), ...property.tally }, null, 2));
if (result.failed) {
  const [given] = result.counterexample ?? [];
  console.log(JSON.stringify(given, null, 1).replaceAll("x".repeat(9_000), "(9,000 characters)"));
  const { errorInstance } = result;
  const problem =
    errorInstance instanceof Error
      ? errorInstance.message.startsWith("graph")
        ? errorInstance.message
        : (errorInstance.stack ?? "")
      : String(errorInstance);
  console.log(problem.replaceAll("x".repeat(9_000), "(9,000 characters)").slice(0, 6_000));
  console.log(`again: npm run properties -- --seed ${seed} --path ${result.counterexamplePath}`);
  process.exitCode = 1;
}
clearInterval(alive);
