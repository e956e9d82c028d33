import path from "node:path";
import { ROOT } from "../../test/e2e/support/child.ts";
import { startService } from "../../test/e2e/support/service.ts";
import { getJson, postJson } from "../http.ts";
import { TASK_STEPS, WORK_MS, type Peer, type Task } from "./peer.ts";

const PAGE = 200;

/**
 * The service as anybody starts it: a file on disk, every commit fsynced. `pure` steps share a superstep and a commit; steps with
 * effects have one each.
 */
export function signalbox(name: string, isPure: boolean): Peer {
  return {
    name,
    start: ({ port, folder, ledger, concurrency, through }) =>
      startService({
        port,
        database: path.join(folder, "signalbox.db"),
        env: {
          SIGNALBOX_LOG: "silent",
          SIGNALBOX_STEPS: path.join(ROOT, "bench", "steps"),
          ...(concurrency === undefined ? {} : { SIGNALBOX_CONCURRENCY: String(concurrency) }),
          BENCH_LEDGER: ledger,
        },
        through,
      }),
    async prepare(http, task, batch) {
      await postJson(http, "/api/v1/workflows", { id: batch, name: batch, ...definition(task, isPure) });
    },
    request: (_task, batch, run, wait) => ({
      path: `/api/v1/workflows/${batch}/execute${wait ? "?wait=10s" : ""}`,
      body: JSON.stringify({ input: { run } }),
    }),
    async progress(http, batch) {
      const { executionStats } = (await getJson(http, `/api/v1/workflows/${batch}`)) as { executionStats: { completed: number } };
      return executionStats.completed;
    },
    async ends(http, batch) {
      const ends = new Map<string, number>();
      for (let token: string | undefined = ""; token !== undefined;) {
        const query: string = `workflow_id=${batch}&pageSize=${PAGE}${token === "" ? "" : `&pageToken=${encodeURIComponent(token)}`}`;
        const page = (await getJson(http, `/api/v1/executions?${query}`)) as {
          items: { id: string; endedAt: string }[];
          nextPageToken?: string;
        };
        for (const { id, endedAt } of page.items) ends.set(id, Date.parse(endedAt));
        token = page.nextPageToken;
      }
      return ends;
    },
  };
}

function definition(task: Task, isPure: boolean) {
  const steps = Array.from({ length: TASK_STEPS[task] }, (_, index) => ({
    id: `s${index + 1}`,
    ...(task === "work"
      ? { type: "work", config: { ms: WORK_MS, run: "${ input.run }" } }
      : {
          type: isPure ? "transform" : "trivial",
          config: isPure ? { set: { n: "${ vars.n + 1 }" } } : { n: "${ vars.n }" },
          output: { n: "${ output.n }" },
        }),
    nextSteps: index + 1 < TASK_STEPS[task] ? [`s${index + 2}`] : [],
  }));
  return { variables: { n: { type: "number", default: 0 } }, output: { n: "${ vars.n }" }, steps };
}
