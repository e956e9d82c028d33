import { expect, test } from "vitest";
import { z } from "zod";
import { compileInputSchema } from "../../src/definition/input-schema.ts";
import { JsonRecord } from "../../src/definition/json.ts";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { readText, repositoryFiles } from "./source.ts";
import { problemsOf } from "./workflows.ts";

const files = repositoryFiles().filter((path) => /^examples\/[^/]+\.json$/.test(path));
const inputs = repositoryFiles().filter((path) => /^examples\/inputs\/[^/]+\.json$/.test(path));
const read = (path: string): unknown => JSON.parse(readText(path));

test.each(files)("%s can be saved as it is", async (path) => {
  expect(await problemsOf(read(path))).toEqual([]);
});

test.each(files)("%s has a sample input that its own schema accepts", (path) => {
  const { id, input } = WorkflowInput.parse(read(path));
  expect(path).toBe(`examples/${id}.json`);
  const sample = JsonRecord.parse(read(`examples/inputs/${id}.json`));
  expect(compileInputSchema(input ?? {})(sample)).toEqual([]);
});

test("every sample input belongs to an example", () => {
  expect(inputs.map((path) => path.replace("inputs/", ""))).toEqual(files);
});

test("the first example leads through an AI decision to a person", () => {
  const { steps } = z.object({ steps: z.array(z.object({ type: z.string() })) }).parse(read("examples/support-triage.json"));
  expect(steps.map(({ type }) => type)).toEqual(expect.arrayContaining(["decision", "prompt", "approval"]));
});
