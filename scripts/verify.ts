import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTests, type Tally } from "./verify/tally.ts";

/** What CI holds a change against, quickest answer first. The tests come last, run as the README says. */
const CHECKS: readonly (readonly [name: string, script: string])[] = [
  ["format", "format:check"],
  ["lint", "lint"],
  ["types", "typecheck"],
  ["unused code", "knip"],
  ["generated files", "generate:check"],
];

const failed: string[] = [];
for (const [name, script] of CHECKS) {
  console.log(`\n── ${name}: npm run ${script}`);
  if ((await npm(["run", "--silent", script])) !== 0) failed.push(name);
}
const tests = await runTests();

// The last line is read by CI: a check that failed counts as one failure, so that it never contradicts the exit code.
if (failed.length > 0) console.log(`\nfailed checks: ${failed.join(", ")}`);
console.log(`\n${tests.passed} passed, ${tests.failed + failed.length} failed${tests.skipped > 0 ? `, ${tests.skipped} skipped` : ""}`);
process.exitCode = tests.failed + failed.length > 0 ? 1 : 0;

async function runTests(): Promise<Tally> {
  console.log("\n── tests: npm test");
  const folder = await mkdtemp(join(tmpdir(), "signalbox-verify-"));
  try {
    const report = join(folder, "tests.json");
    const exitCode = await npm(["test", "--silent", "--", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`]);
    return countTests(await readFile(report, "utf8").catch(() => undefined), exitCode);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function npm(args: string[]): Promise<number> {
  const child = spawn("npm", args, { stdio: "inherit", shell: process.platform === "win32" });
  const [code] = (await once(child, "exit")) as [number | null]; // documented arguments of "exit"
  return code ?? 1;
}
