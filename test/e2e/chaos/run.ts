import { parseArgs } from "node:util";
import { withFirestore } from "./firestore.ts";
import { chaosReport } from "./report.ts";
import { runChaos } from "./trial.ts";

// npm run chaos -- --seed 7 --minutes 2; FENCE=off npm run chaos -- --seed 7 is the control arm, which must fail
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 100_000) },
    minutes: { type: "string", default: "2" },
    executions: { type: "string", default: "300" },
  },
});
const { seed, minutes, executions } = { seed: Number(values.seed), minutes: Number(values.minutes), executions: Number(values.executions) };
const isSensible =
  Number.isSafeInteger(seed) && seed >= 0 && minutes > 0 && minutes <= 60 && Number.isSafeInteger(executions) && executions > 0;
if (!isSensible || executions > 999) {
  console.error("--seed is a whole number, --minutes at most 60, --executions at most 999.");
  process.exit(2);
}
process.exitCode = await withFirestore(async (firestore) => {
  const trial = await runChaos({
    seed,
    executions,
    troubleMs: minutes * 60_000,
    firestore,
    isFenced: process.env["FENCE"] !== "off",
    onProgress: (text) => process.stderr.write(process.stderr.isTTY ? `\r${text}   ` : `${text}\n`),
  });
  console.log(`\n${chaosReport(trial)}`);
  return trial.losses.length === 0 ? 0 : 1;
});
