import { renameSync, writeFileSync } from "node:fs";

/**
 * What `firebase emulators:exec` runs: writes where the emulators are to the file it is told, then lives until its starter closes the
 * pipe or dies. Its end makes firebase-tools stop everything in order, also when the starter was killed without a chance to clean up.
 */
const file = process.argv[2] ?? "hosts.json";
const names = ["FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"] as const;
writeFileSync(`${file}.part`, JSON.stringify(Object.fromEntries(names.map((name) => [name, process.env[name]]))));
renameSync(`${file}.part`, file);
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();
