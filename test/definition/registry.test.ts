import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStepTypes, loadStepTypes } from "../../src/registry.ts";

const contract = pathToFileURL(path.join(import.meta.dirname, "../../src/steps/step.ts")).href;
const zod = import.meta.resolve("zod");
let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "signalbox-steps-"));
});
afterAll(() => rm(root, { recursive: true }));

/** A folder with the given files. */
async function folder(files: Record<string, string>): Promise<string> {
  const made = await mkdtemp(path.join(root, "own-"));
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(path.join(made, name), text)));
  return made;
}

function source(type: string, exported = "export default", more = ""): string {
  return `import { z } from ${JSON.stringify(zod)};
import { defineStep } from ${JSON.stringify(contract)};
${exported} defineStep({ type: "${type}", title: "T", description: "D", group: "Work", config: z.strictObject({}), ${more} run: () => ({ kind: "done" }) });`;
}

test("every step type of the service is there, by name and by alias", async () => {
  const types = await loadStepTypes();
  const names = types.list().map(({ type }) => type);
  expect(names).toEqual(names.toSorted());
  expect(names).toEqual(
    expect.arrayContaining(["start", "end", "transform", "condition", "switch", "prompt", "decision", "delay", "approval"]),
  );
  expect(types.get("data_transform")).toBe(types.get("transform"));
  expect(types.get("human_approval")?.type).toBe("approval");
  expect(types.get("constructor")).toBeUndefined();
});

test("an operator adds a type with one file, whatever it is exported as", async () => {
  const own = await folder({
    "greet.step.ts": source("greet"),
    "other.step.js": source("other", "export const named ="),
    "notes.ts": "throw new Error()",
  });
  const types = await loadStepTypes({ folder: own });
  expect(types.get("greet")?.title).toBe("T");
  expect(types.get("other")?.title).toBe("T");
});

test("one type exported twice is one type", async () => {
  const own = await folder({ "a.step.ts": `${source("twice", "export const named =")}\nexport default named;` });
  expect((await loadStepTypes({ folder: own })).list().filter(({ type }) => type === "twice")).toHaveLength(1);
});

test.each([
  ["cannot be loaded", "export default {{", /bad\.step\.ts cannot be loaded/],
  ["throws", "throw new Error('out of order');", /bad\.step\.ts cannot be loaded: out of order/],
  ["holds no step type", "export const x = 1;", /bad\.step\.ts exports no step type/],
  ["takes the name of another", source("transform"), /bad\.step\.ts takes the name "transform", which .*transform\.step\.ts has/],
  [
    "takes the alias of another",
    source("mine", "export default", 'aliases: ["human_approval"],'),
    /bad\.step\.ts takes the name "human_approval"/,
  ],
])("a file that %s is named", async (_name, text, message) => {
  const own = await folder({ "bad.step.ts": text });
  await expect(loadStepTypes({ folder: own })).rejects.toThrow(
    expect.objectContaining({ code: "INVALID_INPUT", message: expect.stringMatching(message) as string }) as Error,
  );
});

test("a folder that is not there is named", async () => {
  await expect(loadStepTypes({ folder: path.join(root, "nothing") })).rejects.toThrow(/nothing cannot be read/);
});

test("an empty registry knows nothing", () => {
  expect(createStepTypes([]).list()).toEqual([]);
  expect(createStepTypes([]).get("start")).toBeUndefined();
});
