import { withFirestore } from "./firestore.ts";
import { cutOff } from "./outage.ts";

// npm run blackhole: Firestore cannot be reached for 30 s while executions run
const SLOWEST_ANSWER_MS = 6_000;

process.exitCode = await withFirestore(async (firestore) => {
  const { answers, accepted, missing, unfinished, drainMs } = await cutOff({ firestore, executions: 60, outageMs: 30_000 });
  console.log("| | |\n|---|---|");
  for (const { asked, status, ms } of answers) console.log(`| a ${asked} while Firestore was away | ${status} after ${ms} ms |`);
  console.log(`| executions accepted | ${accepted} |`);
  console.log(`| outside effects missing | ${missing.length} |`);
  console.log(`| executions not completed | ${unfinished.length} |`);
  console.log(`| all over after the outage, s | ${(drainMs / 1_000).toFixed(1)} |`);
  for (const one of [...unfinished, ...missing].slice(0, 20)) console.log(`- ${one}`);
  const isHeld = answers.every(({ status, ms }) => status === 503 && ms < SLOWEST_ANSWER_MS);
  return isHeld && missing.length + unfinished.length === 0 ? 0 : 1;
});
