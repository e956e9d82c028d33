import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HOST = "127.0.0.1";

interface EmulatorPorts {
  port: number;
  websocketPort?: number;
}

interface FirebaseConfig {
  emulators: Record<"firestore" | "pubsub" | "hub" | "logging", EmulatorPorts>;
}

/**
 * A folder with a copy of the repository's `firebase.json` whose ports are free. firebase-tools also writes its logs there, so the
 * working tree stays clean and several runs do not meet.
 *
 * @param ports `configured`: those of `firebase.json`, each replaced only where it is taken. `free`: all by chance, for tests.
 */
export async function writeFirebaseConfig(repository: string, ports: "configured" | "free"): Promise<string> {
  // Our own file, held by the repository: its shape is known.
  const config = JSON.parse(readFileSync(join(repository, "firebase.json"), "utf8")) as FirebaseConfig;
  const taken = new Set<number>();
  for (const emulator of ["firestore", "pubsub", "hub", "logging"] as const) {
    const entry = config.emulators[emulator];
    entry.port = await freePort(ports === "configured" ? entry.port : 0, taken);
    if (entry.websocketPort !== undefined) entry.websocketPort = await freePort(ports === "configured" ? entry.websocketPort : 0, taken);
  }
  const folder = mkdtempSync(join(tmpdir(), "signalbox-emulators-"));
  writeFileSync(join(folder, "firebase.json"), JSON.stringify(config, null, 2));
  for (const file of ["firestore.rules", "firestore.indexes.json"]) copyFileSync(join(repository, file), join(folder, file));
  return folder;
}

async function freePort(wanted: number, taken: Set<number>): Promise<number> {
  const port = (await listenOnce(wanted)) ?? (await listenOnce(0));
  if (port === undefined) throw new Error(`No free port on ${HOST}.`);
  if (taken.has(port)) return freePort(0, taken);
  taken.add(port);
  return port;
}

/** The port when it could be bound, undefined when it is taken. */
function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host: HOST, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : undefined));
    });
  });
}
