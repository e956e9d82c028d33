import { z } from "zod";
import { JsonRecord, type JsonObject } from "../../definition/json.ts";
import type { StepType } from "../../steps/step.ts";

/** A step type as palettes and forms need it. */
export const StepTypeView = z
  .object({
    type: z.string(),
    title: z.string(),
    description: z.string(),
    aliases: z.array(z.string()),
    group: z.enum(["AI", "Work", "Flow", "Wait"]).meta({ id: "StepGroup" }),
    pure: z.boolean().describe("Depends on nothing but its inputs and cannot wait"),
    expressions: z.array(z.string()).describe("Config fields that hold bare CEL, as JSON pointers"),
    configSchema: JsonRecord.describe("JSON Schema of `config`"),
  })
  .meta({ id: "StepType" });
export type StepTypeView = z.infer<typeof StepTypeView>;

const views = new WeakMap<StepType, StepTypeView>();

export function stepTypeView(stepType: StepType): StepTypeView {
  const known = views.get(stepType);
  if (known) return known;
  const view: StepTypeView = {
    type: stepType.type,
    title: stepType.title,
    description: stepType.description,
    aliases: [...(stepType.aliases ?? [])],
    group: stepType.group,
    pure: stepType.pure === true,
    expressions: [...(stepType.expressions ?? [])],
    configSchema: configSchema(stepType),
  };
  views.set(stepType, view);
  return view;
}

function configSchema(stepType: StepType): JsonObject {
  // JSON Schema is JSON; the library types it as its own interface.
  return z.toJSONSchema(stepType.config, { io: "input", unrepresentable: "any" }) as JsonObject;
}
