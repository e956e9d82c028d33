import { startChild } from "../../test/e2e/support/child.ts";
import { getJson } from "../http.ts";
import type { Peer } from "./peer.ts";

/** LangGraph.js by itself, behind the smallest HTTP front that can be asked the same things. Nothing is durable. */
export function langgraph(name: string, saver: "none" | "memory"): Peer {
  return {
    name,
    start: ({ port, ledger, through }) =>
      startChild({
        args: ["bench/peers/langgraph-front.ts", String(port), saver],
        port,
        env: { BENCH_LEDGER: ledger },
        readyPath: "/",
        through,
      }),
    prepare: async () => {},
    request: (task, batch, run, wait) => ({ path: `/start/${task}/${batch}/${run}${wait ? "/wait" : ""}`, body: "{}" }),
    progress: async (http, batch) => ((await getJson(http, `/progress/${batch}`)) as { completed: number }).completed,
    ends: async (http, batch) => new Map((await getJson(http, `/ends/${batch}`)) as [string, number][]),
  };
}
