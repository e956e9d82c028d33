import { parseArgs } from "node:util";
import { report } from "./report.ts";
import { runTrial } from "./trial.ts";

// npm run chaos:local -- --seed 7 --kills 50 --executions 40
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 100_000) },
    kills: { type: "string", default: "50" },
    executions: { type: "string", default: "40" },
    "slow-disk": { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const { seed, kills, executions } = { seed: Number(values.seed), kills: Number(values.kills), executions: Number(values.executions) };
if (![seed, kills, executions].every((value) => Number.isSafeInteger(value) && value >= 0) || executions > 500 || kills > 1_000) {
  console.error("--seed, --kills (at most 1000) and --executions (at most 500) are whole numbers.");
  process.exit(2);
}
const isTerminal = process.stderr.isTTY;
const trial = await runTrial({
  seed,
  kills,
  executions,
  keep: values.keep,
  slowDiskMs: values["slow-disk"] === undefined ? undefined : Number(values["slow-disk"]),
  onProgress: (text) => process.stderr.write(isTerminal ? `\r${text}   ` : `${text}\n`),
});
if (isTerminal) process.stderr.write("\n");
console.log(report(trial));
if (values.keep) console.log(`\nThe store is at ${trial.database}`);
process.exitCode = trial.violations.length === 0 ? 0 : 1;
