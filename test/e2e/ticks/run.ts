import { parseArgs } from "node:util";
import { withEmulators } from "../support/emulators.ts";
import { killAtTicks } from "./ticks.ts";

// npm run ticks -- --ticks 20
// The control arm, which must fail: CLOCK=own (the process whose clock is wrong goes by it, not by the store's).
const { values } = parseArgs({ options: { ticks: { type: "string", default: "20" } } });
const ticks = Number(values.ticks);
if (!Number.isSafeInteger(ticks) || ticks < 1 || ticks > 90) {
  console.error("--ticks is a number from 1 to 90.");
  process.exit(2);
}
process.exitCode = await withEmulators(async (hosts) => {
  const result = await killAtTicks({
    hosts,
    ticks,
    trustsClock: process.env["CLOCK"] === "own",
    onProgress: (line) => console.error(line),
  });
  const { executions, completed, missing, doubled, early, hasty, kills, killsOfWrong, lateMs } = result;
  const sorted = lateMs.toSorted((one, other) => one - other);
  console.log("| | |\n|---|---|");
  console.log(`| ticks; processes, one of them an hour fast | ${ticks}; 3 |`);
  console.log(`| processes killed at ticks, the fast one among them | ${kills}, ${killsOfWrong} |`);
  console.log(`| executions, completed | ${executions}, ${completed} |`);
  console.log(`| ticks without one, with more than one | ${missing.length}, ${doubled.length} |`);
  console.log(`| started before their tick, by Firestore's clock | ${early.length} |`);
  console.log(`| ended before their rest of three seconds was over | ${hasty.length} |`);
  console.log(`| late by, ms: median, largest | ${sorted[Math.floor(sorted.length / 2)]}, ${sorted.at(-1)} |`);
  for (const tick of missing) console.log(`- ${tick} started nothing`);
  return missing.length + doubled.length + early.length + hasty.length === 0 && executions === ticks && completed === ticks && kills > 0
    ? 0
    : 1;
});
