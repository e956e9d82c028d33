import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { readText, repositoryFiles, ROOT } from "../../repository/source.ts";
import { readImage, type ImageSource } from "./dockerfile.ts";
import { layOut } from "./production-tree.ts";

/** What fills the compile cache while the image is built. */
const FILL = "scripts/fill-compile-cache.ts";
const source: ImageSource = { dockerfile: readText("Dockerfile"), ignoreFile: readText(".dockerignore"), files: repositoryFiles() };

test("the Dockerfile is pinned, runs as nobody in particular, and takes nothing of developers along", () => {
  expect(readImage(source).findings).toEqual([]);
});

test("what the image holds, and nothing else, is a service that becomes ready and runs a workflow", { timeout: 300_000 }, async () => {
  const { content, environment, command } = readImage(source);
  const folder = await mkdtemp(join(tmpdir(), "signalbox-image-"));
  try {
    layOut(folder, content);
    const cache = { NODE_COMPILE_CACHE: join(folder, ".compile-cache") };
    const settings = {
      ...environment,
      ...cache,
      HOST: "127.0.0.1",
      PORT: "0",
      SIGNALBOX_STORE: `sqlite:${join(folder, "data", "signalbox.db")}`,
    };
    // Without these flags Node would follow the links and find the packages of developers after all.
    const flags = ["--preserve-symlinks", "--preserve-symlinks-main"];
    const env = { ...settings, PATH: process.env.PATH, METADATA_SERVER_DETECTION: "none" };
    // As the stage `compiled` does it.
    await cp(join(ROOT, FILL), join(folder, FILL));
    await promisify(execFile)(process.execPath, [...flags, FILL], { cwd: folder, env });
    const compiled = await readdir(cache.NODE_COMPILE_CACHE, { recursive: true });
    const child = spawn(process.execPath, [...flags, ...command.slice(1)], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
    try {
      const base = await addressOf(child);
      expect((await fetch(`${base}/readyz`)).status).toBe(200);
      expect((await fetch(`${base}/livez`)).status).toBe(200);
      expect((await fetch(`${base}/errors/NOT_FOUND`)).status).toBe(200);
      const headers = { "content-type": "application/json" };
      const steps = [
        { id: "begin", type: "start", nextSteps: ["finish"] },
        { id: "finish", type: "end" },
      ];
      await fetch(`${base}/api/v1/workflows`, {
        method: "POST",
        headers,
        body: JSON.stringify({ id: "line", name: "Line", status: "active", steps }),
      });
      const run = await fetch(`${base}/api/v1/workflows/line/execute?wait=10s`, { method: "POST", headers, body: "{}" });
      expect(await run.json()).toMatchObject({ status: "COMPLETED" });
      const graphql = await fetch(`${base}/graphql`, {
        method: "POST",
        headers,
        body: JSON.stringify({ query: "{ executions { status } }" }),
      });
      expect(await graphql.json()).toEqual({ data: { executions: [{ status: "COMPLETED" }] } });
      child.kill("SIGTERM");
      expect((await once(child, "exit"))[0]).toBe(0);
      // Whatever is missing there is compiled, and stripped of its types, by every pod anew.
      const added = (await readdir(cache.NODE_COMPILE_CACHE, { recursive: true })).filter((entry) => !compiled.includes(entry));
      expect(added).toEqual([]);
    } finally {
      child.kill("SIGKILL");
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe("a seeded mistake is named", () => {
  /** A text is replaced where it stands last: in the stage that becomes the image. */
  const replaced = (from: string | RegExp, to: string): ImageSource => {
    const { dockerfile } = source;
    const at = typeof from === "string" ? dockerfile.lastIndexOf(from) : dockerfile.search(from);
    if (at < 0) throw new Error(`The Dockerfile does not hold ${from}.`);
    return { ...source, dockerfile: dockerfile.slice(0, at) + dockerfile.slice(at).replace(from, to) };
  };
  test.each<[RegExp, ImageSource]>([
    [/^STAGES/, { ...source, dockerfile: source.dockerfile.replace(/^FROM[^]*(?=^FROM)/m, "") }],
    [/^BASE: node:latest/, replaced(/node:24\S+/, "node:latest")],
    [/^BASE: node:24-slim/, replaced(/node:24\S+/, "node:24-slim")],
    [/^USER: runs as root/, replaced("USER 1000:1000", "")],
    [/^USER: runs as node/, replaced("USER 1000:1000", "USER node")],
    [/^CMD: the shell form/, replaced('CMD ["node", "src/main.ts"]', "CMD node src/main.ts")],
    [/^CMD: process 1 is npm/, replaced('CMD ["node", "src/main.ts"]', 'CMD ["npm", "start"]')],
    [/^CMD: src\/server.ts is not in the image/, replaced("src/main.ts", "src/server.ts")],
    [/^HEALTHCHECK/, replaced(/^HEALTHCHECK[^]*?\n(?=STOPSIGNAL|#)/m, "")],
    [/^RUN: npm ci without --omit=dev/, replaced("--omit=dev ", "")],
    [/^RUN: npm ci without --ignore-scripts/, replaced(" --ignore-scripts", "")],
    [/^RUN: npm install/, replaced("npm ci ", "npm install ")],
    [/^COPY: the service could change/, replaced("COPY src", "COPY --chown=node src")],
    [/^COPY: assets is not in the build context/, replaced("COPY src ./src", "COPY assets ./assets\nCOPY src ./src")],
    [/^COPY: test is not in the build context/, replaced("COPY src ./src", "COPY test ./test\nCOPY src ./src")],
    [/^ADD/, replaced("COPY src", "ADD src")],
    [/^ENV: a secret/, replaced("NODE_ENV=production", "NODE_ENV=production OPENAI_API_KEY=sk")],
    [/^CONTENT: test\//, { ...replaced("COPY src ./src", "COPY . ./"), ignoreFile: "node_modules\n" }],
    [/^COPY: src is not in the build context/, { ...source, ignoreFile: source.ignoreFile.replace("!src\n", "") }],
  ])("%s", (finding, mistaken) => {
    expect(readImage(mistaken).findings).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
  });
});

async function addressOf(child: ReturnType<typeof spawn>): Promise<string> {
  if (!child.stdout) throw new Error("The service was started without a pipe.");
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /REST reference\s+(http:\/\/\S+)\/docs/.exec(line)?.[1];
    if (found) {
      child.stdout.resume(); // a full pipe would stop it
      return found;
    }
  }
  throw new Error("The service ended before it listened.");
}
