import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { freePort, pause, ROOT, startChild, type Child } from "../support/child.ts";

/** The version before this one: the commit that `test/fixtures/previous-version` names, moved on at every release. */
export const PREVIOUS = previousVersion();

const EXECUTIONS = 24;
const NEWER_EXECUTIONS = 4;
const PATIENT = { timeout: 60_000, interval: 100 };

/** Both versions know it: each execution parks twice. */
const MIXED = {
  id: "mixed",
  name: "Mixed",
  steps: [
    { id: "a", type: "transform", config: { set: { n: "${ input.n }" } }, nextSteps: ["wait"] },
    { id: "wait", type: "delay", config: { for: "700ms" }, nextSteps: ["again"] },
    { id: "again", type: "delay", config: { for: "700ms" }, nextSteps: ["b"] },
    { id: "b", type: "transform", config: { set: { n: "${ steps.a.output.n * 2 }" } } },
  ],
  output: { n: "${ steps.b.output.n }" },
};
/** Holds a type of step that the version before does not have. */
const NEWER = {
  id: "newer",
  name: "Newer",
  steps: [
    { id: "wait", type: "delay", config: { for: "500ms" }, nextSteps: ["use"] },
    { id: "use", type: "tool", config: { tool: "random.uuid" } },
  ],
};

/**
 * Runs the version before and this one on one store, and kills each while its executions are parked: whoever is alive finishes what
 * it knows and leaves alone what it does not.
 */
export async function mixVersions({
  store,
  env = {},
}: {
  store: string;
  env?: Record<string, string>;
}): Promise<{ finished: number; left: number }> {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-mixed-"));
  const worktree = path.join(folder, "previous");
  try {
    git("worktree", "add", "--force", "--detach", worktree, PREVIOUS ?? "HEAD");
    symlinkSync(path.join(ROOT, "node_modules"), path.join(worktree, "node_modules"));
    const start = async (root: string): Promise<Child> => {
      const port = await freePort();
      const settings = { PORT: String(port), SIGNALBOX_STORE: store, SIGNALBOX_LOG: "silent", SIGNALBOX_LEASE_MS: "3000", ...env };
      const child = startChild({ args: [path.join(root, "src", "main.ts")], port, env: settings, readyPath: "/readyz" });
      await child.ready();
      return child;
    };
    await using before = await start(worktree);
    await using after = await start(ROOT);
    await post(before, "/api/v1/workflows", MIXED);
    await post(after, "/api/v1/workflows", NEWER);
    const startAt = async (child: Child, workflow: string, n: number) =>
      String((await post(child, `/api/v1/workflows/${workflow}/execute`, { input: { n } }))["id"]);
    const newer = await Promise.all(Array.from({ length: NEWER_EXECUTIONS }, async (_, n) => await startAt(after, "newer", n)));
    const ids = await Promise.all(
      Array.from({ length: EXECUTIONS }, async (_, n) => ({ n, id: await startAt(n % 2 ? before : after, "mixed", n) })),
    );
    // Each parks under one version; the other one is alone when the first timers come due.
    await before.kill();
    await using replacement = await start(worktree);
    await after.kill();
    const statusOf = async (child: Child, id: string) => (await get(child, `/api/v1/executions/${id}`))["status"];
    for (const { n, id } of ids) {
      await expect.poll(() => statusOf(replacement, id), PATIENT).toBe("COMPLETED");
      expect((await get(replacement, `/api/v1/executions/${id}`))["output"]).toEqual({ n: n * 2 });
    }
    for (const id of newer) expect(["RUNNING", "COMPLETED"]).toContain(await statusOf(replacement, id));
    await using last = await start(ROOT);
    for (const id of newer) await expect.poll(() => statusOf(last, id), PATIENT).toBe("COMPLETED");
    const history = await get(last, `/api/v1/executions/${ids[0]?.id ?? ""}/events`);
    const seqs = (history["items"] as { seq: number }[]).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    return { finished: ids.length, left: newer.length };
  } finally {
    if (existsSync(worktree)) git("worktree", "remove", "--force", worktree);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks again where the store was too slow to answer; the key makes it one request. */
async function post(child: Child, route: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
  for (const until = Date.now() + PATIENT.timeout; ; await pause(PATIENT.interval)) {
    const response = await fetch(`${child.baseUrl}${route}`, { method: "POST", headers, body: JSON.stringify(body) });
    const answer = (await response.json()) as Record<string, unknown>;
    if (response.status === 503 && Date.now() < until) continue;
    expect(response.ok, JSON.stringify(answer)).toBe(true);
    return answer;
  }
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
