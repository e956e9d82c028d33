import { z } from "zod";
import { stepTypeView, StepTypeView } from "../views/step-type.ts";
import { defineList } from "./operation.ts";

export const stepTypes = defineList({
  name: "stepTypes",
  summary: "List the step types this service knows, with the JSON Schema of their config",
  noun: "step types",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/step-types",
  status: 200,
  input: z.strictObject({}),
  items: StepTypeView,
  pageName: "StepTypePage",
  async handle({ services }) {
    return { items: services.stepTypes.list().map(stepTypeView) };
  },
});
