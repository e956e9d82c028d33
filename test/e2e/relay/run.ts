import { randomUUID } from "node:crypto";
import { startEmulators } from "../../../scripts/emulators/start.ts";
import { pubsubOutage } from "./outage.ts";

// npm run outage:pubsub: Pub/Sub cannot be reached for 30 s while executions start over REST, and a process is killed before it can
// note what it published
const emulators = await startEmulators({ ports: "free" });
try {
  const pubsub = emulators.environment["PUBSUB_EMULATOR_HOST"] ?? "";
  const result = await pubsubOutage({ pubsub, project: `demo-${randomUUID()}`, executions: 100, outageMs: 30_000 });
  const { started, completedWhileAway, expected, received, copies, faults, catchUpMs } = result;
  console.log("| | |\n|---|---|");
  console.log(`| executions started | ${started} |`);
  console.log(`| started and completed while Pub/Sub was away | ${completedWhileAway} |`);
  console.log(`| lifecycle events that happened | ${expected} |`);
  console.log(`| messages received, copies among them | ${received}, ${copies} |`);
  console.log(`| missing, out of order or differing | ${faults.length} |`);
  console.log(`| all there after the outage, s | ${(catchUpMs / 1_000).toFixed(1)} |`);
  for (const fault of faults.slice(0, 20)) console.log(`- ${fault}`);
  process.exitCode = faults.length === 0 && copies > 0 ? 0 : 1;
} finally {
  await emulators.stop();
}
