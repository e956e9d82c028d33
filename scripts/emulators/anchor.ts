/**
 * What `firebase emulators:exec` runs: says where the emulators are, then lives until its starter closes the pipe or dies. Its end
 * makes firebase-tools stop everything in order, also when the starter was killed without a chance to clean up.
 */
const names = ["FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"] as const;
process.stdout.write(`SIGNALBOX_EMULATORS ${JSON.stringify(Object.fromEntries(names.map((name) => [name, process.env[name]])))}\n`);
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();
