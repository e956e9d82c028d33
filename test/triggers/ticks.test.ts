import { expect, test } from "vitest";
import { dueTicks, ticksAfter, type Schedule } from "../../src/triggers/ticks.ts";

const at = (cron: string, timezone: string): Schedule => ({ cron, timezone, misfire: "all", overlap: "allow" });
const NEW_YORK = "America/New_York";

/** All ticks of a span, one after the other. */
function ticksBetween(schedule: Schedule, from: string, to: string): string[] {
  const ticks: string[] = [];
  for (let after = Date.parse(from); ;) {
    const [next] = ticksAfter(schedule, after, 1);
    if (next === undefined || next > Date.parse(to)) return ticks;
    ticks.push(new Date(next).toISOString());
    after = next;
  }
}

test.each([
  [
    "a time that does not exist comes right after the gap",
    "30 2 * * *",
    "2026-03-08T00:00Z",
    "2026-03-10T00:00Z",
    ["2026-03-08T07:00", "2026-03-09T06:30"],
  ],
  [
    "hours go on through the gap",
    "0 * * * *",
    "2026-03-08T05:30Z",
    "2026-03-08T08:00Z",
    ["2026-03-08T06:00", "2026-03-08T07:00", "2026-03-08T08:00"],
  ],
  [
    "a time that comes twice fires the first time",
    "30 1 * * *",
    "2026-10-31T12:00Z",
    "2026-11-02T12:00Z",
    ["2026-11-01T05:30", "2026-11-02T06:30"],
  ],
  [
    "hours go on through the repeat",
    "0 * * * *",
    "2026-11-01T04:30Z",
    "2026-11-01T07:00Z",
    ["2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:00"],
  ],
])("%s", (_name, cron, from, to, expected) => {
  expect(ticksBetween(at(cron, NEW_YORK), from, to).map((tick) => tick.slice(0, 16))).toEqual(expected);
});

test("29 February comes in leap years only", () => {
  expect(ticksAfter(at("0 0 29 2 *", "UTC"), Date.parse("2026-03-01T00:00Z"), 2).map((tick) => new Date(tick).getUTCFullYear())).toEqual([
    2028, 2032,
  ]);
});

test.each([
  ["30 2 * * *", "2026-03-07T00:00:00Z", "2026-03-09T12:00:00Z"],
  ["*/20 * * * *", "2026-03-08T00:00:00Z", "2026-03-08T12:00:00Z"],
  ["30 1 * * *", "2026-10-31T00:00:00Z", "2026-11-02T12:00:00Z"],
  ["*/20 * * * *", "2026-11-01T00:00:00Z", "2026-11-01T12:00:00Z"],
  ["30 0 3 * * *", "2026-10-31T00:00:00Z", "2026-11-02T12:00:00Z"],
])("looking back over %s from %s to %s finds the ticks that looking ahead finds", (cron, from, to) => {
  const { fire } = dueTicks(at(cron, NEW_YORK), Date.parse(from), Date.parse(to));
  expect(fire.map((tick) => new Date(tick).toISOString())).toEqual(ticksBetween(at(cron, NEW_YORK), from, to));
});

test("a tick belongs to the span that ends with it, and to no other", () => {
  const schedule = at("0 * * * *", "UTC");
  const noon = Date.parse("2026-01-01T12:00Z");
  expect(dueTicks(schedule, noon - 1, noon)).toEqual({ fire: [noon], missed: 0, upTo: noon });
  expect(dueTicks(schedule, noon, noon + 1)).toEqual({ fire: [], missed: 0, upTo: noon });
  expect(dueTicks(schedule, noon - 1_000, noon - 1).fire).toEqual([]);
});

test("a year is looked back over within a tenth of a second", () => {
  const started = process.cpuUsage();
  dueTicks(at("* * * * *", NEW_YORK), Date.parse("2025-01-01T00:00Z"), Date.parse("2026-01-01T00:00Z"));
  expect(process.cpuUsage(started).user / 1_000).toBeLessThan(100);
});
