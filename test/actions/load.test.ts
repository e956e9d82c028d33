import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadActions, loadStepTypes } from "../../src/registry.ts";
import { readText } from "../repository/source.ts";

const contract = pathToFileURL(path.join(import.meta.dirname, "../../src/actions/action.ts")).href;
const zod = import.meta.resolve("zod");
let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "signalbox-actions-"));
});
afterAll(() => rm(root, { recursive: true }));

async function folder(files: Record<string, string>): Promise<string> {
  const made = await mkdtemp(path.join(root, "own-"));
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(path.join(made, name), text)));
  return made;
}

function source(name: string): string {
  return `import { z } from ${JSON.stringify(zod)};
import { defineAction } from ${JSON.stringify(contract)};
export default defineAction({ name: "${name}", title: "T", description: "D", input: z.strictObject({}), effect: "none", run: () => 1 });`;
}

test("an operator adds an action with one file, and steps know it", async () => {
  const own = await folder({ "greet.action.ts": source("greet.people") });
  expect((await loadActions({ folder: own })).get("greet.people")?.title).toBe("T");
  const step = (await loadStepTypes({ folder: own })).get("action");
  expect(step?.check?.({ action: "greet.people", input: {} }, {} as never)).toEqual([]);
  expect(step?.check?.({ action: "greet.dogs", input: {} }, {} as never)).toMatchObject([{ code: "INVALID_CONFIG" }]);
});

test("the action that the documentation shows can be loaded as it stands", async () => {
  const shown = /```ts\n([^]*?)```/.exec(readText("docs/steps/action.md"))?.[1] ?? "";
  const text = shown.replace("../src/actions/action.ts", contract).replace('"zod"', JSON.stringify(zod));
  const own = await folder({ "invoice.action.ts": text });
  expect((await loadActions({ folder: own })).get("invoice.send")).toMatchObject({ effect: "once" });
});

test.each([
  ["cannot be loaded", "export default {{", /bad\.action\.ts cannot be loaded/],
  ["holds no action", "export const x = 1;", /bad\.action\.ts exports no action/],
  ["takes a name that is taken", source("log"), /bad\.action\.ts takes the name "log", which .*log\.action\.ts has/],
  ["has a name that is none", source("mcp:x/y"), /bad\.action\.ts has the name "mcp:x\/y"/],
])("a file that %s is named when the service starts", async (_name, text, message) => {
  await expect(loadActions({ folder: await folder({ "bad.action.ts": text }) })).rejects.toThrow(message);
});
