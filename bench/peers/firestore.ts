import { createHash, randomUUID } from "node:crypto";
import path from "node:path";
import { ROOT, startChild } from "../../test/e2e/support/child.ts";
import { startServiceOn } from "../../test/e2e/support/service.ts";
import { langgraph } from "./langgraph.ts";
import type { Peer } from "./peer.ts";
import { signalbox } from "./signalbox.ts";

const RUN = randomUUID();

/** Where the emulator listens; these peers run where there is one, which `scripts/emulators.ts` starts. */
export const emulator = process.env["FIRESTORE_EMULATOR_HOST"];

/** The service on the Firestore emulator, otherwise as it is on a file. */
export function signalboxOnFirestore(name: string, isPure: boolean): Peer {
  return {
    ...signalbox(name, isPure),
    countsWrites: true,
    start: ({ port, folder, ledger, through, writes, concurrency }) =>
      startServiceOn({
        port,
        store: `firestore:${projectOf(folder)}`,
        env: {
          SIGNALBOX_LOG: "silent",
          SIGNALBOX_STEPS: path.join(ROOT, "bench", "steps"),
          ...(concurrency === undefined ? {} : { SIGNALBOX_CONCURRENCY: String(concurrency) }),
          BENCH_LEDGER: ledger,
          ...environment(writes),
        },
        through,
        preload: preloadOf(writes),
      }),
  };
}

/** LangGraph.js by itself with the saver of this package. */
export function langgraphOnFirestore(name: string): Peer {
  return {
    ...langgraph(name, "memory"),
    countsWrites: true,
    start({ port, folder, ledger, through, writes }) {
      const preload = preloadOf(writes);
      return startChild({
        args: [...(preload === undefined ? [] : ["--import", preload]), "bench/peers/langgraph-front.ts", String(port), projectOf(folder)],
        port,
        env: { BENCH_LEDGER: ledger, ...environment(writes) },
        readyPath: "/",
        through,
      });
    },
  };
}

/** The same for every process of one folder: a restart finds its state. */
function projectOf(folder: string): string {
  return `demo-${createHash("sha256").update(`${RUN} ${folder}`).digest("hex").slice(0, 16)}`;
}

function environment(writes: string | undefined): Record<string, string> {
  return {
    FIRESTORE_EMULATOR_HOST: emulator ?? "",
    METADATA_SERVER_DETECTION: "none",
    ...(writes === undefined ? {} : { BENCH_WRITES: writes }),
  };
}

function preloadOf(writes: string | undefined): string | undefined {
  return writes === undefined ? undefined : path.join(ROOT, "bench", "measure", "write-counter.ts");
}
