import { z } from "zod";

/** `provider:model`, or `default`, as definitions write it. */
export const ModelReference = z
  .string()
  .max(200)
  .regex(/^(default|[a-z][a-z0-9_-]*:.+)$/, "must be provider:model, such as openai:gpt-4o-mini, or default");
