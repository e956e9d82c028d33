import { execFile, execFileSync } from "node:child_process";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { createApp, type App } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { blocksOf } from "./documents.ts";
import { readText } from "./source.ts";

const LONGEST_MS = 30_000;

test.skipIf(!hasCurl())("what the README tells a newcomer to paste works, in its order", { timeout: LONGEST_MS }, async () => {
  await using app = await startedApp();
  // The newcomer's ten seconds are there to pull the plug in.
  const script = callsOf("README.md").join("\n").replace('"for": "10s"', '"for": "500ms"');
  const printed = await run(app, script);
  expect(printed).toContain("event: execution.completed");
  expect(printed).toContain('"output":{"greeting":"Hi Ada!"}');
  expect(printed).toContain('"selected":"casual"');
});

test.skipIf(!hasCurl()).each(callsOf("docs/api.md").filter((text) => !text.includes("$ID")))(
  "this call of docs/api.md is answered: %s",
  async (script) => {
    await using app = await startedApp();
    const input = WorkflowInput.parse(JSON.parse(readText("examples/shipping-quote.json")));
    await app.workflows.create(LOCAL_PRINCIPAL, input);
    expect(await run(app, script)).not.toContain('"errors"');
  },
);

test.skipIf(!hasCurl())("the calls of docs/triggers.md and docs/events.md do what the pages say", { timeout: LONGEST_MS }, async () => {
  vi.stubEnv("SIGNALBOX_SECRET_SHOP", "for-this-test");
  await using app = await startedApp();
  for (const { language, text } of blocksOf("docs/triggers.md")) {
    if (language === "json") await app.workflows.create(LOCAL_PRINCIPAL, WorkflowInput.parse(JSON.parse(text)));
  }
  const [looking = "", webhook = ""] = callsOf("docs/triggers.md");
  expect(await run(app, looking)).toMatch(/"nextFires":\["20.*"status":"SKIPPED"/s);
  const sentTwice = `${webhook}\n${webhook.slice(webhook.indexOf("curl"))}`;
  expect(await run(app, sentTwice)).toMatch(/"status":"STARTED".*"status":"DUPLICATE"/s);
  expect(await run(app, callsOf("docs/events.md").join("\n"))).toMatch(
    /"status":"STARTED".*"status":"DUPLICATE".*trigger:ship-order\/paid/s,
  );
  const program = (language: string) =>
    blocksOf("docs/events.md")
      .filter((block) => block.language === language)
      .map(({ text }) => text)
      .join("\n");
  // Where there is a Python to run it.
  const python = `if command -v python3 > /dev/null; then python3 - <<'END'\n${program("python")}\nEND\nelse echo STARTED; fi`;
  expect(await run(app, python)).toContain("STARTED");
  expect(await run(app, `'${process.execPath}' --input-type=module - <<'END'\n${program("js")}\nEND`)).toContain("execution.completed");
  vi.unstubAllEnvs();
});

/** The blocks of a page that call the service. */
function callsOf(page: string): string[] {
  return blocksOf(page).flatMap(({ language, text }) => (language === "sh" && text.includes("localhost:8080") ? [text] : []));
}

async function startedApp(): Promise<App> {
  const loaded = loadConfig({ SIGNALBOX_STORE: "sqlite::memory:", SIGNALBOX_LOG: "silent" });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  const app = await createApp({ config: loaded.config });
  await app.server.listen({ host: "127.0.0.1", port: 0 });
  return app;
}

/** What a script prints; a call that is refused fails it. */
async function run(app: App, script: string): Promise<string> {
  const { port } = z.object({ port: z.number() }).parse(app.server.server.address());
  const text = script.replaceAll("localhost:8080", `127.0.0.1:${port}`).replaceAll("curl -", "curl --fail-with-body -");
  return new Promise((resolve, reject) => {
    execFile("bash", ["-euo", "pipefail", "-c", text], { timeout: LONGEST_MS }, (error, stdout, stderr) =>
      error ? reject(new Error(`${stdout}${stderr}`, { cause: error })) : resolve(stdout),
    );
  });
}

function hasCurl(): boolean {
  try {
    execFileSync("bash", ["-c", "command -v curl"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
