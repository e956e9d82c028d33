import { parseArgs } from "node:util";
import { withEmulators } from "../support/emulators.ts";
import { flood, TWICE_EVERY } from "./flood.ts";

// npm run flood -- --events 5000 --kill-every 5 --minutes 30
// Control arms, which must fail: BROKEN=ack (messages acknowledged before anything is durable), BROKEN=ids (events without ids).
const { values } = parseArgs({
  options: {
    events: { type: "string", default: "5000" },
    "kill-every": { type: "string", default: "5" },
    pods: { type: "string", default: "3" },
    rate: { type: "string", default: "4" },
    minutes: { type: "string", default: "30" },
  },
});
const numbers = [values.events, values["kill-every"], values.pods, values.rate, values.minutes].map(Number);
const [events = 0, killEvery = 0, pods = 0, rate = 0, minutes = 0] = numbers;
const broken = process.env["BROKEN"];
if (!numbers.every((value) => Number.isSafeInteger(value) && value > 0) || pods < 2) {
  console.error("--events, --kill-every (seconds), --pods (2 at least), --rate (events a second) and --minutes are whole numbers.");
  process.exit(2);
}
process.exitCode = await withEmulators(async (hosts) => {
  const result = await flood({
    hosts,
    events,
    pods,
    rate,
    killEveryMs: killEvery * 1_000,
    longestMs: minutes * 60_000,
    broken: broken === "ack" || broken === "ids" ? broken : undefined,
    onProgress: (line) => console.error(line),
  });
  const { executions, lost, doubled, kills, killedEveryMs, publishedMs, tookMs, isDone } = result;
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  console.log("| | |\n|---|---|");
  console.log(`| events, every ${TWICE_EVERY}th published twice | ${events} |`);
  console.log(`| processes; kills, one every s | ${pods}; ${kills}, ${seconds(killedEveryMs)} |`);
  console.log(`| executions | ${executions} |`);
  console.log(`| events without a completed execution | ${lost}${isDone ? "" : " when the time was over"} |`);
  console.log(`| events with more than one execution | ${doubled} |`);
  console.log(`| published in, all completed after, s | ${seconds(publishedMs)}, ${isDone ? seconds(tookMs) : "-"} |`);
  return isDone && lost === 0 && doubled === 0 && executions === events ? 0 : 1;
});
