import { expect, test } from "vitest";
import { createApp } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { measureLoopDelay, watchLoop } from "../../src/telemetry/loop-watch.ts";
import { manualClock } from "../support/manual-clock.ts";

/** Holds the thread, as a step that computes does. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("a blocked event loop is measured, and forgotten with the look at it", async () => {
  const delay = measureLoopDelay();
  block(400);
  expect(delay.longestMs()).toBeGreaterThan(250);
  await expect.poll(() => delay.longestMs()).toBeLessThan(250);
  delay.stop();
});

test("only an event loop that is late second after second for 10 s is told, and one good second takes it back", () => {
  const clock = manualClock();
  let present = 0;
  const watch = watchLoop({ clock, limitMs: 1_000, delay: { longestMs: () => present, stop: () => {} } });
  const after = (seconds: number, longestMs: number) => {
    present = longestMs;
    clock.advance(seconds * 1_000);
    return watch.lateMs();
  };
  expect(after(60, 1_000)).toBeUndefined();
  expect(after(10, 1_500)).toBeUndefined();
  expect(after(1, 1_700)).toBe(1_700);
  expect(after(1, 10)).toBeUndefined();
  expect(after(10, 5_000)).toBeUndefined();
  expect(after(1, 5_000)).toBe(5_000);
  watch.stop();
});

test("a process whose event loop stays blocked is not ready, says why, and comes back by itself", async () => {
  const clock = manualClock();
  const loaded = loadConfig({ PORT: "0", SIGNALBOX_STORE: "sqlite::memory:", SIGNALBOX_LOG: "silent", SIGNALBOX_READY_LAG_MS: "50" });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  await using app = await createApp({ config: loaded.config, clock });
  const readiness = async () => {
    const { statusCode, body } = await app.server.inject("/readyz");
    return { status: statusCode, body: JSON.parse(body) as Record<string, unknown> };
  };
  expect((await readiness()).status).toBe(200);
  for (let second = 0; second < 11; second++) {
    block(160);
    clock.advance(1_000);
  }
  const { status, body } = await readiness();
  expect(status).toBe(503);
  expect(body["reason"]).toMatch(/^the event loop is \d+ ms late$/);
  expect((await app.server.inject("/livez")).statusCode).toBe(200);
  await expect
    .poll(
      async () => {
        clock.advance(1_000);
        return (await readiness()).status;
      },
      { timeout: 10_000 },
    )
    .toBe(200);
});
