import { z } from "zod";
import { JsonRecord } from "../definition/json.ts";
import { defineStep } from "./step.ts";

const Config = z.strictObject({
  set: JsonRecord.describe("Name -> value; strings may hold ${ cel }. The step's output is this object"),
});

export default defineStep({
  type: "transform",
  title: "Transform",
  description: "Makes an object out of what is known.",
  aliases: ["data_transform"],
  group: "Work",
  pure: true,
  config: Config,
  run: ({ config }) => ({ kind: "done", output: config.set }),
});
