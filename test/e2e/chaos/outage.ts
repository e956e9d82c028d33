import { randomUUID } from "node:crypto";
import path from "node:path";
import { createDice } from "../kill/random.ts";
import { effectsOf } from "../kill/expectations.ts";
import { planRuns } from "../kill/plan.ts";
import { saveWorkflows } from "../kill/trial.ts";
import { createClient } from "../kill/client.ts";
import { pause, ROOT } from "../support/child.ts";
import { startPods } from "./pods.ts";
import { startReceiver } from "./receiver.ts";

export interface OutageOptions {
  /** `host:port` of the emulator. */
  firestore: string;
  executions: number;
  /** How long nothing reaches Firestore. */
  outageMs: number;
}

export interface Outage {
  /** What a start and a read during the outage got, and after how long. */
  answers: { asked: string; status: number; ms: number }[];
  /** Executions that were accepted, and what the receiver outside lacks of them. */
  accepted: number;
  missing: string[];
  /** Accepted and not completed. */
  unfinished: string[];
  /** From the end of the outage until the last execution had ended. */
  drainMs: number;
}

const DRAIN_MS = 90_000;
const PATIENCE_MS = 20_000;

/** Executions run on two processes; Firestore is cut off from both for a while; everything that was accepted must still end. */
export async function cutOff({ firestore, executions, outageMs }: OutageOptions): Promise<Outage> {
  const over = new AbortController();
  await using receiver = await startReceiver(createDice(1));
  await using service = await startPods({
    count: 2,
    firestore,
    project: `demo-${randomUUID()}`,
    env: {
      CHAOS_RECEIVER: receiver.url,
      SIGNALBOX_STEPS: path.join(ROOT, "test", "e2e", "chaos", "steps"),
      SIGNALBOX_LEASE_MS: "3000",
      SIGNALBOX_SWEEP_MS: "500",
    },
  });
  const client = createClient(service.next, over.signal);
  const runs = planRuns(createDice(1), executions, 100, ["calls"], 4);
  await saveWorkflows(client, runs);
  const accepted = new Map<string, (typeof runs)[number]>();
  const starting = Promise.all(
    runs.map(async (run, index) => {
      await pause((index / executions) * 4_000);
      const key = { "idempotency-key": run.run };
      const { body } = await client.insist("POST", `/api/v1/workflows/${run.workflowId}/execute`, { input: { run: run.run } }, key);
      accepted.set(String(body["id"]), run);
    }),
  );
  await pause(2_000);
  const answers: Outage["answers"] = [];
  const [someId = ""] = accepted.keys();
  for (const { proxy } of service.pods) proxy.set("blackhole");
  const healsAt = Date.now() + outageMs;
  const asking = service.pods.flatMap(({ baseUrl }) => [
    ask("start", `${baseUrl}/api/v1/workflows/calls/execute`, { method: "POST", body: JSON.stringify({ input: { run: "run-000" } }) }),
    ask("read", `${baseUrl}/api/v1/executions/${someId}`, {}),
  ]);
  await Promise.all(asking);
  await pause(healsAt - Date.now());
  for (const { proxy } of service.pods) proxy.set("pass");
  const healedAt = Date.now();
  await starting;
  let open = [...accepted.keys()];
  const ended = new Map<string, string>();
  for (; open.length > 0 && Date.now() < healedAt + DRAIN_MS; await pause(200)) {
    for (const id of open) {
      const status = String((await client.insist("GET", `/api/v1/executions/${id}`)).body["status"]);
      if (["COMPLETED", "FAILED", "CANCELLED"].includes(status)) ended.set(id, status);
    }
    open = open.filter((id) => !ended.has(id));
  }
  const drainMs = Date.now() - healedAt;
  over.abort();
  return {
    answers,
    accepted: accepted.size,
    missing: [...accepted.values()].flatMap(effectsOf).filter((effect) => !receiver.applied.has(effect)),
    unfinished: [...accepted]
      .filter(([id]) => ended.get(id) !== "COMPLETED")
      .map(([id, { run }]) => `${run} ${id} ${ended.get(id) ?? "open"}`),
    drainMs,
  };

  async function ask(asked: string, url: string, request: RequestInit): Promise<void> {
    const began = performance.now();
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { ...request, headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    await response.arrayBuffer();
    answers.push({ asked, status: response.status, ms: Math.round(performance.now() - began) });
  }
}
