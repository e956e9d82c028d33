import { z } from "zod";
import { durationMs } from "../definition/duration.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep } from "./step.ts";

const Config = z.strictObject({
  for: z.string().optional().describe('How long, as a duration: "30s", "2h"'),
  until: z.string().optional().describe("Until when, RFC 3339; a time that has passed does not wait"),
});

export default defineStep({
  type: "delay",
  title: "Delay",
  description: "Waits without holding memory or a worker; survives restarts.",
  group: "Wait",
  config: Config,
  check: (config) =>
    (config.for === undefined) === (config.until === undefined)
      ? [
          {
            code: "INVALID_CONFIG",
            pointer: "/config",
            message: "A delay has either `for` or `until`.",
            hint: 'For example {"for": "30s"}.',
          },
        ]
      : [],
  run({ config, now }) {
    const dueAt = config.for === undefined ? untilTime(config.until ?? "") : now() + forMs(config.for);
    return { kind: "wait", wait: { kind: "timer", dueAt, state: { since: now() } } };
  },
  resume({ now }, _answer, state) {
    // The state is what `run` put there.
    const { since } = state as { since: number };
    return { kind: "done", output: { waitedMs: now() - since } };
  },
});

function forMs(text: string): number {
  const milliseconds = durationMs(text);
  if (milliseconds === undefined) throw new SignalboxError("INVALID_INPUT", `"${text}" is no duration of at most a year.`);
  return milliseconds;
}

function untilTime(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new SignalboxError("INVALID_INPUT", `"${text}" is no RFC 3339 time.`);
  return time;
}
