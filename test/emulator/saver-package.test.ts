import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { emulated, newProject } from "./projects.ts";

const run = promisify(execFile);

/** A LangGraph program as anybody writes it, in plain JavaScript. */
const PROGRAM = `
import { Annotation, Command, interrupt, START, StateGraph } from "@langchain/langgraph";
import { FirestoreSaver } from "signalbox/firestore-saver";

const checkpointer = new FirestoreSaver({ firestore: { project: process.argv[2] } });
const State = Annotation.Root({ question: Annotation(), answer: Annotation() });
const graph = new StateGraph(State)
  .addNode("ask", ({ question }) => ({ answer: interrupt(question) }))
  .addEdge(START, "ask")
  .compile({ checkpointer });
const config = { configurable: { thread_id: "42" } };
if (process.argv[3] === undefined) await graph.invoke({ question: "Who?" }, config);
else await graph.invoke(new Command({ resume: process.argv[3] }), config);
const { values, next } = await graph.getState(config);
console.log(JSON.stringify({ values, next }));
await checkpointer.close();
`;

describe.runIf(emulated)("the package signalbox/firestore-saver", () => {
  test("works in a program of somebody else, over two processes", { timeout: 60_000 }, async () => {
    const consumer = mkdtempSync(join(tmpdir(), "signalbox-consumer-"));
    const modules = join(consumer, "node_modules");
    mkdirSync(join(modules, "signalbox"), { recursive: true });
    for (const name of readdirSync("node_modules"))
      if (!name.startsWith(".") && name !== "signalbox") symlinkSync(resolve("node_modules", name), join(modules, name));
    // As `npm pack` does it: what "prepack" builds, and package.json.
    await run(process.execPath, [
      "node_modules/typescript/bin/tsc",
      "-p",
      "tsconfig.saver.json",
      "--outDir",
      join(modules, "signalbox", "dist"),
    ]);
    symlinkSync(resolve("package.json"), join(modules, "signalbox", "package.json"));
    writeFileSync(join(consumer, "program.mjs"), PROGRAM);
    expect(existsSync(join(modules, "signalbox", "dist", "adapters", "firestore", "checkpointer.d.ts"))).toBe(true);

    const project = newProject();
    const programs = async (...words: string[]): Promise<unknown> =>
      JSON.parse((await run(process.execPath, ["program.mjs", project, ...words], { cwd: consumer })).stdout);
    expect(await programs()).toEqual({ values: { question: "Who?" }, next: ["ask"] });
    expect(await programs("Ada")).toEqual({ values: { question: "Who?", answer: "Ada" }, next: [] });
  });
});
