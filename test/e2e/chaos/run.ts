import { parseArgs } from "node:util";
import { withFirestore } from "./firestore.ts";
import { chaosReport, chaosSummary } from "./report.ts";
import { runChaos, type ChaosTrial } from "./trial.ts";

// npm run chaos -- --seed 7 --minutes 2, or --seeds 1..10 for one after the other and a table of all.
// Control arms, which must fail: FENCE=off (the guard of the writes taken out), KEY=random (every call outside under a key of its own).
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 100_000) },
    seeds: { type: "string" },
    minutes: { type: "string", default: "2" },
    executions: { type: "string", default: "300" },
    pace: { type: "string", default: "1" },
  },
});
const [minutes, executions, pace] = [Number(values.minutes), Number(values.executions), Number(values.pace)];
const seeds = seedsOf(values.seeds ?? values.seed);
const isSensible =
  minutes > 0 && minutes <= 60 && Number.isSafeInteger(executions) && executions > 0 && executions <= 999 && pace >= 1 && pace <= 20;
if (!isSensible || seeds.length === 0) {
  console.error("--seed is a whole number, --seeds like 1..10, --minutes at most 60, --executions at most 999, --pace from 1 to 20.");
  process.exit(2);
}
const trials: ChaosTrial[] = [];
for (const seed of seeds) {
  // An emulator each: it keeps every listener and every document it ever had, and all of them slow down its answers.
  const code = await withFirestore(async (firestore) => {
    const trial = await runChaos({
      seed,
      executions,
      troubleMs: minutes * 60_000,
      pace,
      firestore,
      isFenced: process.env["FENCE"] !== "off",
      isKeyed: process.env["KEY"] !== "random",
      onProgress: (text) => process.stderr.write(process.stderr.isTTY ? `\r${text}   ` : `${text}\n`),
    });
    console.log(`\n${chaosReport(trial)}`);
    trials.push(trial);
    return trial.losses.length === 0 ? 0 : 1;
  });
  if (code > 1) process.exit(code);
}
if (trials.length > 1) console.log(`\n${chaosSummary(trials)}`);
process.exitCode = trials.every(({ losses }) => losses.length === 0) ? 0 : 1;

/** `7`, or `1..10`. Empty where it is neither. */
function seedsOf(text: string): number[] {
  const [, first = "", last = first] = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text) ?? [];
  if (first === "") return [];
  return Array.from({ length: Math.max(0, Number(last) - Number(first) + 1) }, (_, index) => Number(first) + index);
}
