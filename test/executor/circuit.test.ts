import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineAction, type Action } from "../../src/actions/action.ts";
import { modelError } from "../../src/ai/failure.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import type { StepInput } from "../../src/definition/step.ts";
import { SignalboxError } from "../../src/errors.ts";
import { createCircuits, judge } from "../../src/executor/circuits.ts";
import { circuitObserver } from "../../src/telemetry/circuits.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createTools } from "../../src/tools/tools.ts";
import { createEngine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

/** An engine with one action that does what `behave` says, and a count of its calls. */
async function shop(behave: () => unknown) {
  const clock = manualClock();
  const seen = { calls: 0 };
  const charge = defineAction({
    name: "charge",
    title: "Charge",
    description: "For tests",
    input: z.strictObject({}),
    effect: "idempotent",
    run() {
      seen.calls += 1;
      return behave() as null;
    },
  }) as Action;
  const actions = { get: (name: string) => (name === "charge" ? charge : undefined), list: () => [charge] };
  const engine = await createEngine({ clock, services: { actions, tools: createTools({ actions }) } });
  const define = (id: string, more: Partial<StepInput>, nextSteps: StepInput["nextSteps"] = []) =>
    engine.define({
      id,
      name: id,
      steps: [
        {
          id: "charge",
          type: "action",
          config: { action: "charge" },
          breaker: { key: "bank", failures: 3, openFor: "30s" },
          ...more,
          nextSteps,
        },
        ...nextSteps.map((next) => ({ id: typeof next === "string" ? next : next.to, type: "end" })),
      ],
    });
  return { clock, engine, seen, define };
}

const down = () => Promise.reject(new Error("the bank is closed"));

describe("a circuit breaker", () => {
  test("opens for every step that names its key, in every execution, and is closed by one call that succeeds", async () => {
    let isDown = true;
    const { clock, engine, seen, define } = await shop(() => (isDown ? down() : null));
    await using _ = engine;
    await define("pay", {});
    await define("refund", { breaker: "bank" });
    for (let call = 0; call < 3; call++) expect((await engine.run("pay")).error).toMatchObject({ code: "STEP_FAILED" });
    for (const workflow of ["pay", "refund"])
      expect((await engine.run(workflow)).error).toMatchObject({ code: "CIRCUIT_OPEN", retryable: true });
    expect(seen.calls).toBe(3);
    clock.advance(30_000);
    expect((await engine.run("refund")).error).toMatchObject({ code: "STEP_FAILED" });
    expect((await engine.run("refund")).error).toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(seen.calls).toBe(4);
    clock.advance(30_000);
    isDown = false;
    for (let call = 0; call < 3; call++) expect((await engine.run("pay")).status).toBe("COMPLETED");
    expect(seen.calls).toBe(7);
  });

  test("is waited for by retry, without a call before its time", async () => {
    let isDown = true;
    const { clock, engine, seen, define } = await shop(() => (isDown ? down() : null));
    await using _ = engine;
    await define("pay", {});
    await define("patient", { retry: { maxAttempts: 3, delay: "1s", multiplier: 1, maxDelay: "1s", jitter: false } });
    for (let call = 0; call < 3; call++) await engine.run("pay");
    isDown = false;
    const { id, isParked, wakeAt } = await engine.run("patient");
    expect({ isParked, inMs: (wakeAt ?? 0) - clock.now() }).toEqual({ isParked: true, inMs: 30_000 });
    clock.advance(29_999);
    await engine.worker.idle();
    expect(seen.calls).toBe(3);
    clock.advance(1);
    await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("COMPLETED");
    expect(seen.calls).toBe(4);
  });

  test("leaves by `on: error` like any other failure", async () => {
    const { engine, define } = await shop(down);
    await using _ = engine;
    await define("pay", {});
    for (let call = 0; call < 3; call++) await engine.run("pay");
    await define("lenient", {}, ["paid", { to: "later", on: "error", when: 'error.code == "CIRCUIT_OPEN"' }]);
    const { id, status } = await engine.run("lenient");
    expect(status).toBe("COMPLETED");
    expect((await engine.executor.steps("default", id)).map(({ stepId }) => stepId)).toEqual(["charge", "later"]);
  });

  test("counts failures within its window only", async () => {
    const { clock, engine, define } = await shop(down);
    await using _ = engine;
    await define("pay", {});
    for (let call = 0; call < 6; call++) {
      expect((await engine.run("pay")).error).toMatchObject({ code: "STEP_FAILED" });
      clock.advance(30_001);
    }
  });

  test("of one tenant says nothing about another's", async () => {
    const circuits = createCircuits({ clock: manualClock() });
    const fail = (tenant: string) => circuits.of(tenant, { key: "bank", failures: 1 }).through(down);
    await expect(fail("a")).rejects.toThrow("the bank is closed");
    await expect(fail("a")).rejects.toMatchObject({ code: "CIRCUIT_OPEN", details: { retryAfterMs: 30_000, happened: false } });
    await expect(fail("b")).rejects.toThrow("the bank is closed");
  });

  test("is no use before a step that calls nobody, and has one set of rules", async () => {
    const { engine } = await shop(down);
    await using _ = engine;
    const issues = (steps: JsonObject[]) =>
      engine.workflows
        .validate({
          id: "w",
          name: "w",
          steps: steps.map((step, n) => ({ id: `s${n}`, nextSteps: n + 1 < steps.length ? [`s${n + 1}`] : [], ...step })),
        })
        .issues.map(({ code, pointer }) => `${code} ${pointer}`);
    const charge = (breaker: unknown) => ({ type: "action", config: { action: "charge" }, breaker }) as JsonObject;
    expect(issues([charge("bank"), charge({ key: "bank", failures: 2 }), charge({ key: "bank", failures: 2 })])).toEqual([]);
    expect(issues([{ type: "transform", config: { set: {} }, breaker: "bank" }])).toEqual(["INVALID_VALUE /steps/0/breaker"]);
    expect(issues([charge({ key: "bank", failures: 2 }), charge({ key: "bank", failures: 3 })])).toEqual([
      "CONTRADICTION /steps/1/breaker",
    ]);
  });

  test.each([
    ["no answer", new SignalboxError("STEP_FAILED", "x", { details: { code: "UNREACHABLE" } }), "down"],
    ["no answer in time", new SignalboxError("STEP_TIMEOUT"), "down"],
    ["a 503", new SignalboxError("STEP_FAILED", "x", { details: { code: "HTTP_503", status: 503 } }), "down"],
    ["a client's own exception", new Error("socket hang up"), "down"],
    ["a model out of reach", modelError("network", "x"), "down"],
    ["a 404", new SignalboxError("REQUEST_REFUSED", "x", { details: { code: "HTTP_404", status: 404 } }), "alive"],
    ["a 429", new SignalboxError("STEP_FAILED", "x", { details: { code: "HTTP_429", status: 429 } }), "alive"],
    ["a tool that says it failed", new SignalboxError("STEP_FAILED", "x", { details: { code: "TOOL_ERROR" } }), "alive"],
    ["a model's refusal", modelError("refused", "x"), "alive"],
    ["an input that does not fit", new SignalboxError("INVALID_INPUT"), "nothing"],
    ["an address that is not allowed", new SignalboxError("REQUEST_REFUSED", "x", { details: { code: "EGRESS" } }), "nothing"],
    ["a cancel", new SignalboxError("CANCELLED"), "nothing"],
    ["a model's own open circuit", modelError("circuit_open", "x"), "nothing"],
  ])("%s", (_name, error, verdict) => {
    expect(judge(error)).toBe(verdict);
  });

  test("tells the operator of each change, in the log and as a metric", async () => {
    const metrics = createMetrics();
    const lines: unknown[] = [];
    const clock = manualClock();
    const circuits = createCircuits({ clock, onChange: circuitObserver(metrics, (message, fields) => lines.push([message, fields])) });
    const circuit = circuits.of("default", { key: "bank", failures: 1, openFor: "1s" });
    await expect(circuit.through(down)).rejects.toThrow();
    expect((await metrics.circuitsOpen.get()).values).toMatchObject([{ value: 1 }]);
    clock.advance(1_000);
    await circuit.through(() => Promise.resolve());
    expect((await metrics.circuitsOpen.get()).values).toMatchObject([{ value: 0 }]);
    expect(lines).toEqual(["open", "half-open", "closed"].map((change) => [`circuit ${change}`, { circuit: "bank" }]));
    expect((await metrics.circuitChanges.get()).values).toMatchObject([{ labels: { circuit: "bank", to: "open" } }, {}, {}]);
  });
});
