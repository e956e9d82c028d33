import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import { freePort, pause, type Child } from "../../e2e/support/child.ts";
import { startService } from "../../e2e/support/service.ts";
import { startBalancer, type Balancer } from "./balancer.ts";

const PROCESSES = 3;
const STARTS_PER_SECOND = 10;
/** Socket close codes after which a client comes back: gone while it started, service restart. */
const COME_BACK = new Set([1006, 1012]);

let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "signalbox-rolling-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** About two seconds: twelve waits of 100 ms with a step between them, so that every restart meets many of them. */
const ROUNDS = {
  id: "rounds",
  name: "Rounds",
  status: "active",
  variables: { n: { type: "number", default: 0 } },
  output: { n: "${ vars.n }" },
  steps: [
    { id: "count", type: "transform", config: { set: { n: "${ vars.n + 1.0 }" } }, output: { n: "${ output.n }" }, nextSteps: ["rest"] },
    { id: "rest", type: "delay", config: { for: "100ms" }, nextSteps: [{ to: "count", when: "vars.n < 12.0" }, "done"] },
    { id: "done", type: "end" },
  ],
};

async function launch(): Promise<Child> {
  // Long enough for the balancer to see it on a machine that does much else, whose slowness is no reason to leave it.
  const env = { SIGNALBOX_READY_LAG_MS: "0", SIGNALBOX_LINGER_MS: "1500", SIGNALBOX_DRAIN_MS: "3000", SIGNALBOX_SWEEP_MS: "500" };
  return startService({ port: await freePort(), database: join(folder, "store.db"), env });
}

async function start(balancer: Balancer): Promise<{ status: number; id: string }> {
  const { baseUrl } = await balancer.next();
  const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
  try {
    const response = await fetch(`${baseUrl}/api/v1/workflows/rounds/execute`, { method: "POST", headers, body: "{}" });
    const body = (await response.json()) as { id: string };
    return { status: response.status, id: body.id };
  } catch {
    return { status: 0, id: "" };
  }
}

/** Follows an execution over a socket to its end, and comes back with the last seq seen wherever the socket goes. */
async function follow(balancer: Balancer, id: string): Promise<{ seqs: number[]; events: ExecutionEvent[]; codes: number[] }> {
  const events: ExecutionEvent[] = [];
  const codes: number[] = [];
  for (;;) {
    const { baseUrl } = await balancer.next();
    const socket = new WebSocket(`${baseUrl.replace("http", "ws")}/api/v1/ws`, ["signalbox.v1"]);
    socket.on("error", () => {}); // its close follows
    socket.on("open", () =>
      socket.send(JSON.stringify({ type: "subscribe", topic: `execution:${id}`, afterSeq: events.at(-1)?.seq ?? 0 })),
    );
    let hasEnded = false;
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { type: string; events?: ExecutionEvent[] };
      events.push(...(frame.events ?? []));
      hasEnded ||= frame.type === "end";
      if (hasEnded) socket.close(1000);
    });
    const [code] = (await once(socket, "close")) as [number];
    if (hasEnded) return { events, codes, seqs: events.map(({ seq }) => seq) };
    codes.push(code);
  }
}

test("a rolling restart under load: no request fails, no finished step runs again, no socket has a gap", { timeout: 300_000 }, async () => {
  const pool = [await launch(), await launch(), await launch()];
  const everyone = [...pool];
  try {
    await Promise.all(pool.map((child) => child.ready()));
    using balancer = startBalancer(pool);
    await fetch(`${(await balancer.next()).baseUrl}/api/v1/workflows`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(ROUNDS),
    });

    let isRolling = true;
    const starts: Promise<{ status: number; id: string }>[] = [];
    const followers: ReturnType<typeof follow>[] = [];
    const load = (async () => {
      while (isRolling) {
        const started = start(balancer);
        starts.push(started);
        // Every third is watched live.
        if (starts.length % 3 === 0) followers.push(started.then(({ id }) => follow(balancer, id)));
        await pause(1_000 / STARTS_PER_SECOND);
      }
    })();
    await pause(1_000);
    for (const old of everyone.slice(0, PROCESSES)) {
      const fresh = await launch();
      everyone.push(fresh);
      await fresh.ready();
      balancer.add(fresh);
      await old.stop();
      balancer.remove(old);
      expect(old.ended, old.output).toEqual({ code: 0, signal: null });
    }
    isRolling = false;
    await load;

    const answers = await Promise.all(starts);
    expect(answers.length).toBeGreaterThan(PROCESSES * STARTS_PER_SECOND);
    expect(answers.filter(({ status }) => status !== 202 && status !== 200)).toEqual([]);
    const watched = await Promise.all(followers);
    for (const { seqs } of watched) expect(seqs).toEqual(seqs.map((_seq, index) => index + 1));
    const codes = new Set(watched.flatMap((one) => one.codes));
    expect([...codes].filter((code) => !COME_BACK.has(code))).toEqual([]);
    expect(codes).toContain(1012);
    const histories = await Promise.all(answers.map(async ({ id }) => ({ id, ...(await follow(balancer, id)) })));
    for (const { id, events } of histories) {
      expect(events.at(-1)?.type, id).toBe("execution.completed");
      const visits = events.filter(({ type }) => type === "step.completed").map(({ stepId, visit }) => `${stepId}/${visit}`);
      expect(visits.length, id).toBe(25);
      expect(new Set(visits).size, id).toBe(visits.length);
    }
    const handed = watched.filter(
      ({ events }) => new Set(events.filter(({ type }) => type === "execution.claimed").map(({ data }) => data["worker"])).size > 1,
    );
    expect(handed.length).toBeGreaterThan(0);
    console.log(
      `rolling restart: ${answers.length} starts, ${watched.length} followed, ${watched.flatMap((one) => one.codes).length} sockets resumed`,
    );
  } finally {
    await Promise.all(everyone.map((child) => child.kill()));
  }
});
