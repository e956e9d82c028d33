import { parseArgs } from "node:util";
import { withEmulators } from "../support/emulators.ts";
import { markdown } from "../../../bench/table.ts";
import { flood, TWICE_EVERY, type FloodResult } from "./flood.ts";

// npm run flood -- --events 5000 --batch 1000 --kill-every 5
// In batches with emulators of their own: Firestore's answers each query by looking at every document it has, and from some two thousand
// executions on that takes both cores.
// Control arms, which must fail: BROKEN=ack (messages acknowledged before anything is durable), BROKEN=ids (events without ids).
const { values } = parseArgs({
  options: {
    events: { type: "string", default: "5000" },
    "kill-every": { type: "string", default: "5" },
    pods: { type: "string", default: "3" },
    batch: { type: "string", default: "1000" },
    rate: { type: "string", default: "5" },
    minutes: { type: "string", default: "15" },
  },
});
const numbers = [values.events, values.batch, values["kill-every"], values.pods, values.rate, values.minutes].map(Number);
const [events = 0, batch = 0, killEvery = 0, pods = 0, rate = 0, minutes = 0] = numbers;
const broken = process.env["BROKEN"];
if (!numbers.every((value) => Number.isSafeInteger(value) && value > 0) || pods < 2) {
  console.error(
    "--events, --batch (events), --kill-every (seconds), --pods (2 at least), --rate (events a second) and --minutes (a batch) are whole numbers.",
  );
  process.exit(2);
}
const batches: (FloodResult & { events: number })[] = [];
for (let left = events; left > 0; left -= batch) {
  const some = Math.min(left, batch);
  const code = await withEmulators(async (hosts) => {
    const result = await flood({
      hosts,
      events: some,
      pods,
      rate,
      killEveryMs: killEvery * 1_000,
      longestMs: minutes * 60_000,
      broken: broken === "ack" || broken === "ids" ? broken : undefined,
      onProgress: (line) => console.error(`batch ${batches.length + 1}, ${line}`),
    });
    batches.push({ ...result, events: some });
    return 0;
  });
  if (code !== 0) process.exit(code);
}
const total = (figure: (one: FloodResult & { events: number }) => number): string =>
  String(batches.reduce((sum, one) => sum + figure(one), 0));
const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
console.log(`${pods} processes; every ${TWICE_EVERY}th event published twice.\n`);
console.log(
  markdown(
    [
      "batch",
      "events",
      "executions",
      "without a completed one",
      "with more than one",
      "kills",
      "a kill every, s",
      "published, all completed after, s",
    ],
    [
      ...batches.map((one, index) => [
        `${index + 1}${one.isDone ? "" : ", not done when the time was over"}`,
        ...[one.events, one.executions, one.lost, one.doubled, one.kills].map(String),
        seconds(one.killedEveryMs),
        `${seconds(one.publishedMs)}, ${seconds(one.tookMs)}`,
      ]),
      [
        "all",
        total((one) => one.events),
        total((one) => one.executions),
        total((one) => one.lost),
        total((one) => one.doubled),
        total((one) => one.kills),
        "",
        "",
      ],
    ],
  ),
);
process.exitCode = batches.every(
  ({ isDone, lost, doubled, executions, events: wanted }) => isDone && lost === 0 && doubled === 0 && executions === wanted,
)
  ? 0
  : 1;
