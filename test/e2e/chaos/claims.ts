import { randomUUID } from "node:crypto";
import { createClient, type Client } from "../kill/client.ts";
import { freePort, pause } from "../support/child.ts";
import { startServiceOn } from "../support/service.ts";
import { withFirestore } from "./firestore.ts";

// npm run claims: two workers and a queue of 600 executions that nobody has claimed
const EXECUTIONS = 600;
const IN_FLIGHT = 16;
const LIMIT_MS = 180_000;

interface Claimed {
  id: string;
  /** Who claimed it and when, in the order of its events. */
  claims: { worker: string; at: number }[];
  endedAt: number;
}

process.exitCode = await withFirestore(async (firestore) => {
  const over = new AbortController();
  const store = `firestore:demo-${randomUUID()}`;
  const start = async (role: string) => {
    const env = { SIGNALBOX_ROLE: role, FIRESTORE_EMULATOR_HOST: firestore, METADATA_SERVER_DETECTION: "none" };
    return startServiceOn({ port: await freePort(), store, env });
  };
  await using api = await start("api");
  await api.ready();
  const client = createClient(() => api.baseUrl, over.signal);
  const ids = await queue(client);
  await using first = await start("worker");
  await using second = await start("worker");
  await Promise.all([first.ready(), second.ready()]);
  for (const until = Date.now() + LIMIT_MS; Date.now() < until; await pause(250)) {
    const { body } = await client.insist("GET", "/api/v1/workflows/claimed");
    if ((body["executionStats"] as { completed: number }).completed === EXECUTIONS) break;
  }
  const found = await inLanes(ids, (id) => look(client, id));
  const claims = found.flatMap((one) => one.claims);
  const times = claims.map(({ at }) => at);
  const tookMs = Math.max(...times) - Math.min(...times);
  const double = found.filter((one) => one.claims.length !== 1);
  const unfinished = found.filter(({ endedAt }) => Number.isNaN(endedAt));
  const byWorker = Map.groupBy(claims, ({ worker }) => worker);
  console.log("| | |\n|---|---|");
  console.log(`| executions queued before a worker ran | ${ids.length} |`);
  console.log(`| claimed by each of two workers | ${[...byWorker.values()].map((list) => list.length).join(", ")} |`);
  console.log(`| claimed by more than one, or not at all | ${double.length} |`);
  console.log(`| not ended | ${unfinished.length} |`);
  console.log(`| claims per second | ${(claims.length / (tookMs / 1_000)).toFixed(0)} |`);
  over.abort();
  return double.length + unfinished.length === 0 ? 0 : 1;
});

async function queue(client: Client): Promise<string[]> {
  const set = (n: number, next: string[]) => ({
    id: `s${n}`,
    type: "transform",
    config: { set: { n: `\${ vars.n + ${n} }` } },
    output: { n: "${ output.n }" },
    nextSteps: next,
  });
  const workflow = {
    id: "claimed",
    name: "claimed",
    variables: { n: { type: "number", default: 0 } },
    steps: [set(1, ["s2"]), set(2, [])],
  };
  const { status, body } = await client.insist("POST", "/api/v1/workflows", workflow);
  if (status !== 201) throw new Error(JSON.stringify(body));
  const runs = Array.from({ length: EXECUTIONS }, (_, index) => index);
  return await inLanes(runs, async (run) => {
    const answer = await client.insist("POST", "/api/v1/workflows/claimed/execute", { input: {} }, { "idempotency-key": `claim-${run}` });
    return String(answer.body["id"]);
  });
}

async function look(client: Client, id: string): Promise<Claimed> {
  const { body } = await client.insist("GET", `/api/v1/executions/${id}/events?afterSeq=0&limit=100`);
  const events = body["items"] as { type: string; at: string; data: { worker?: string } }[]; // the API's own shape
  return {
    id,
    claims: events
      .filter(({ type }) => type === "execution.claimed")
      .map(({ at, data }) => ({ worker: data.worker ?? "", at: Date.parse(at) })),
    endedAt: Date.parse(events.find(({ type }) => type === "execution.completed")?.at ?? ""),
  };
}

async function inLanes<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = [...items.entries()];
  async function lane(): Promise<void> {
    for (let next = rest.shift(); next; next = rest.shift()) results[next[0]] = await work(next[1]);
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return results;
}
