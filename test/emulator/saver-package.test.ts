import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { blocksOf } from "../repository/documents.ts";
import { emulated, newProject } from "./projects.ts";

const run = promisify(execFile);

/** The README's program, as anybody would copy it. */
const PROGRAM = blocksOf("README.md").find(({ language }) => language === "js")?.text ?? "";

describe.runIf(emulated)("the package signalbox/firestore-saver", () => {
  test("the program of the README works with the installed package, over two processes", { timeout: 60_000 }, async () => {
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
    const project = newProject();
    expect(PROGRAM).toContain('"my-project"');
    writeFileSync(join(consumer, "program.mjs"), PROGRAM.replace('"my-project"', JSON.stringify(project)));
    expect(existsSync(join(modules, "signalbox", "dist", "adapters", "firestore", "checkpointer.d.ts"))).toBe(true);

    const programs = async (...words: string[]): Promise<string> =>
      (await run(process.execPath, ["program.mjs", ...words], { cwd: consumer })).stdout.trim();
    expect(await programs()).toBe("{ question: 'Who?' }");
    expect(await programs("Ada")).toBe("{ question: 'Who?', answer: 'Ada' }");
  });
});
