import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { freePort, ROOT, startChild, type Child } from "../support/child.ts";

/** The version before this one: the commit that `test/fixtures/previous-version` names, moved on at every release. */
const PREVIOUS = previousVersion();
const folder = mkdtempSync(path.join(tmpdir(), "signalbox-mixed-"));
const worktree = path.join(folder, "previous");
afterAll(() => {
  if (existsSync(worktree)) git("worktree", "remove", "--force", worktree);
  rmSync(folder, { recursive: true, force: true });
});

const EXECUTIONS = 24;

test.skipIf(PREVIOUS === undefined)(
  "the version before and this one, side by side on one store, finish each other's executions",
  async () => {
    git("worktree", "add", "--force", "--detach", worktree, PREVIOUS ?? "HEAD");
    symlinkSync(path.join(ROOT, "node_modules"), path.join(worktree, "node_modules"));
    const store = `sqlite:${path.join(folder, "store.db")}`;
    const start = async (root: string): Promise<Child> => {
      const port = await freePort();
      const env = { PORT: String(port), SIGNALBOX_STORE: store, SIGNALBOX_LOG: "silent", SIGNALBOX_LEASE_MS: "3000" };
      const child = startChild({ args: [path.join(root, "src", "main.ts")], port, env, readyPath: "/readyz" });
      await child.ready();
      return child;
    };
    await using before = await start(worktree);
    await using after = await start(ROOT);
    await post(before, "/api/v1/workflows", {
      id: "mixed",
      name: "Mixed",
      steps: [
        { id: "a", type: "transform", config: { set: { n: "${ input.n }" } }, nextSteps: ["wait"] },
        { id: "wait", type: "delay", config: { for: "700ms" }, nextSteps: ["again"] },
        { id: "again", type: "delay", config: { for: "700ms" }, nextSteps: ["b"] },
        { id: "b", type: "transform", config: { set: { n: "${ steps.a.output.n * 2 }" } } },
      ],
      output: { n: "${ steps.b.output.n }" },
    });
    const ids = await Promise.all(
      Array.from({ length: EXECUTIONS }, async (_, n) => {
        const started = await post(n % 2 ? before : after, "/api/v1/workflows/mixed/execute", { input: { n } });
        return { n, id: String(started["id"]) };
      }),
    );
    // Each parks under one version; the other one is alone when the first timers come due.
    await before.kill();
    await using replacement = await start(worktree);
    await after.kill();
    for (const { n, id } of ids) {
      await expect.poll(async () => (await get(replacement, `/api/v1/executions/${id}`))["status"], { timeout: 20_000 }).toBe("COMPLETED");
      expect((await get(replacement, `/api/v1/executions/${id}`))["output"]).toEqual({ n: n * 2 });
    }
    await using last = await start(ROOT);
    const history = await get(last, `/api/v1/executions/${ids[0]?.id ?? ""}/events`);
    const seqs = (history["items"] as { seq: number }[]).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  },
);

async function post(child: Child, route: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${child.baseUrl}${route}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  expect(response.ok, JSON.stringify(answer)).toBe(true);
  return answer;
}

async function get(child: Child, route: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${child.baseUrl}${route}`)).json()) as Record<string, unknown>;
}

function git(...words: string[]): string {
  return execFileSync("git", words, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

function previousVersion(): string | undefined {
  const commit = readFileSync(path.join(ROOT, "test", "fixtures", "previous-version"), "utf8").trim();
  try {
    return git("rev-parse", "--verify", `${commit}^{commit}`);
  } catch {
    // A copy of the sources without their history has no earlier version to run.
    return undefined;
  }
}
