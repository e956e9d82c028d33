import { expect, test } from "vitest";
import { z } from "zod";
import type { JsonObject } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine } from "../support/engine.ts";

/** Books and unbooks; remembers the order, and fails for the names it is told. */
function bookStep(broken: string[] = []) {
  const log: string[] = [];
  const type = defineStep({
    type: "book",
    title: "Book",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ of: z.unknown().optional() }),
    async run({ step, config }) {
      const of = config.of as JsonObject | undefined;
      log.push(of ? `${step.id}(${String(of["output"])})` : step.id);
      if (broken.includes(step.id)) throw new SignalboxError("STEP_FAILED", `${step.id} broke`);
      return { kind: "done", output: `${step.id}-ref` };
    },
  });
  return { type: type as unknown as StepType, log };
}

const undo = (id: string) => ({ id, type: "book", config: { of: "${ item }" } });
const trip = (more: object = {}) => ({
  id: "trip",
  name: "Trip",
  onError: { action: "compensate" as const },
  steps: [
    { id: "flight", type: "book", compensate: "cancelFlight", nextSteps: ["hotel"] },
    { id: "hotel", type: "book", compensate: "cancelHotel", nextSteps: ["car"] },
    { id: "car", type: "book", compensate: "cancelCar" },
    undo("cancelFlight"),
    undo("cancelHotel"),
    undo("cancelCar"),
  ],
  ...more,
});

test("what completed is undone in reverse order, and the execution fails with the error that began it", async () => {
  const { type, log } = bookStep(["car"]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(trip());
  const { id, status, error, compensations } = await engine.run("trip");
  expect({ status, error, compensations }).toMatchObject({
    status: "FAILED",
    error: { code: "STEP_FAILED", stepId: "car", message: "car broke" },
    compensations: [],
  });
  expect(log).toEqual(["flight", "hotel", "car", "cancelHotel(hotel-ref)", "cancelFlight(flight-ref)"]);
  await expect(engine.executor.retry({ id: "ann", tenant: "default" }, id)).rejects.toMatchObject({ code: "CONFLICT" });
  const events = await engine.events(id);
  expect(events.at(-1)).toMatchObject({ type: "execution.failed", seq: events.length });
});

test("a compensation that fails for good is on record and does not keep the others from running", async () => {
  const { type, log } = bookStep(["car", "cancelHotel"]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(trip());
  const { id, status } = await engine.run("trip");
  expect(status).toBe("FAILED");
  expect(log).toEqual(["flight", "hotel", "car", "cancelHotel(hotel-ref)", "cancelFlight(flight-ref)"]);
  const steps = await engine.executor.steps("default", id);
  expect(steps.map(({ stepId, status: step }) => [stepId, step])).toContainEqual(["cancelHotel", "FAILED"]);
  expect(steps.map(({ stepId, status: step }) => [stepId, step])).toContainEqual(["cancelFlight", "COMPLETED"]);
});

test("branches are undone by when they completed, across branches", async () => {
  const { type, log } = bookStep(["broken"]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "fan",
    name: "Fan",
    onError: { action: "compensate" },
    steps: [
      { id: "first", type: "book", compensate: "undoFirst", nextSteps: ["fan"] },
      {
        id: "fan",
        type: "parallel",
        config: {
          branches: [
            { name: "a", start: "slow" },
            { name: "b", start: "quick" },
          ],
          join: "broken",
        },
      },
      { id: "slow", type: "delay", config: { for: "60ms" }, nextSteps: ["late"] },
      { id: "late", type: "book", compensate: "undoLate", nextSteps: ["broken"] },
      { id: "quick", type: "book", compensate: "undoQuick", nextSteps: ["broken"] },
      { id: "broken", type: "book" },
      undo("undoFirst"),
      undo("undoLate"),
      undo("undoQuick"),
    ],
  });
  expect((await engine.run("fan")).status).toBe("FAILED");
  expect(log).toEqual(["first", "quick", "late", "broken", "undoLate(late-ref)", "undoQuick(quick-ref)", "undoFirst(first-ref)"]);
});
