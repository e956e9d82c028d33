import { z } from "zod";
import { Duration, durationMs } from "../definition/duration.ts";
import { parseExpression } from "../definition/expression.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { pickPaths } from "../definition/pick-paths.ts";
import { Cel } from "../definition/step.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep, type StepContext } from "./step.ts";

/** What `match` reads of the execution travels in its record, which every commit writes again, bytes. */
const MAX_SCOPE_BYTES = 16 * 1_024;

const Config = z.strictObject({
  event: z.string().min(1).max(255).describe("Name of the event it waits for"),
  match: Cel.optional().describe(
    "CEL; only an event for which it is true is taken. `event` is {id, type, time, data}, and with `from: tenant` {source, subject, extensions} too",
  ),
  from: z
    .enum(["execution", "tenant"])
    .default("execution")
    .describe("`execution`: only signals that name this execution; `tenant`: also any event of that type the tenant receives"),
  subject: z
    .string()
    .min(1)
    .max(1_024)
    .optional()
    .describe("With `from: tenant`: only events with this `subject`; found without asking other waits"),
  lookback: Duration.optional().describe(
    "With `from: tenant`: events up to this long before the step count too; since the execution was created unless told",
  ),
  timeout: Duration.optional().describe("How long it may take; for ever unless told. Then it leaves by `on: timeout`"),
});
type WaitEventConfig = z.infer<typeof Config>;

export default defineStep({
  type: "wait_event",
  title: "Wait for event",
  description:
    "Waits until a named event comes, for this execution or for the tenant; one that came before is not lost. Out of time leaves by `on: timeout`.",
  group: "Wait",
  config: Config,
  expressions: ["/match"],
  check({ from, subject, lookback }) {
    if (from === "tenant") return [];
    return Object.entries({ subject, lookback }).flatMap(([name, value]) =>
      value === undefined ? [] : [{ code: "INVALID_VALUE", pointer: `/config/${name}`, message: "Only with `from: tenant`." }],
    );
  },
  run(context) {
    const { event, match, from, subject, lookback, timeout } = context.config;
    const dueAt = timeout === undefined ? null : context.now() + (durationMs(timeout) ?? 0);
    const state = {
      event,
      match: match ?? null,
      scope: match === undefined ? {} : scopeOf(context, match),
      ...(from === "tenant" && { from, subject: subject ?? null, lookbackMs: lookback === undefined ? null : (durationMs(lookback) ?? 0) }),
    };
    return {
      kind: "wait",
      wait: { kind: "event", dueAt, state, open: { title: `Event ${event}`, request: { event, match: match ?? null } } },
    };
  },
  resume({ config }, answer) {
    const { data = null, eventId = null, source } = answer.data;
    return {
      kind: "done",
      outcome: answer.by === "due" ? "timeout" : "success",
      output: { event: config.event, data, eventId, ...(source !== undefined && { source }) },
    };
  },
});

/** The part of the scope that `match` reads, as it is now: the event is compared with it whenever it comes. */
function scopeOf(context: StepContext<WaitEventConfig>, match: string): JsonObject {
  const { references } = parseExpression(match);
  const names = new Set(references.flatMap(({ name }) => (name === "event" ? [] : [name])));
  const pick = (name: string): Json =>
    pickPaths(
      context.evaluate(name),
      references.filter((reference) => reference.name === name).map(({ keys }) => keys),
    );
  const scope = Object.fromEntries([...names].map((name) => [name, pick(name)]));
  const bytes = Buffer.byteLength(JSON.stringify(scope));
  if (bytes <= MAX_SCOPE_BYTES) return scope;
  throw new SignalboxError("TOO_LARGE", `\`match\` reads ${bytes} bytes; ${MAX_SCOPE_BYTES} are allowed.`, {
    details: { bytes, limit: MAX_SCOPE_BYTES },
  });
}
