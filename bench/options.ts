import { parseArgs } from "node:util";
import { PEER_NAMES, USUAL_PEERS, type PeerName } from "./peers/all.ts";
import { emulator } from "./peers/firestore.ts";

export const JOBS = ["J1", "J3", "J4", "J5"] as const;
export type JobName = (typeof JOBS)[number];

export interface Options {
  rounds: number;
  jobs: readonly JobName[];
  peers: readonly PeerName[];
  isQuick: boolean;
  /** 10,000 executions in a row instead of the jobs. */
  isSoak: boolean;
  /** Folder of the stores; on a disk, because a memory file system syncs for nothing. */
  folder: string;
}

/** The options of the command line. Ends the process with one line where they make no sense. */
export function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      jobs: { type: "string" },
      peers: { type: "string" },
      folder: { type: "string", default: "data/bench" },
      quick: { type: "boolean", default: false },
      soak: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) refuse("--rounds is a number from 1 to 50");
  const peers = values.peers === undefined ? USUAL_PEERS : listOf("--peers", values.peers, PEER_NAMES);
  if (emulator === undefined && peers.some((name) => name.startsWith("firestore")))
    refuse("peers on Firestore run beside its emulator: npm run emulators -- npm run bench");
  return {
    rounds,
    jobs: listOf("--jobs", values.jobs, JOBS),
    peers,
    isQuick: values.quick,
    isSoak: values.soak,
    folder: values.folder,
  };
}

function listOf<T extends string>(name: string, given: string | undefined, known: readonly T[]): readonly T[] {
  if (given === undefined) return known;
  const wanted = given.split(",");
  if (!wanted.every((word) => known.some((other) => other === word))) refuse(`${name} is a comma-separated list of ${known.join(", ")}`);
  return known.filter((word) => wanted.includes(word));
}

function refuse(text: string): never {
  console.error(`bench: ${text}`);
  process.exit(2);
}
