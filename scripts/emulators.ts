import { spawn } from "node:child_process";
import { once } from "node:events";
import { missingJava, startEmulators } from "./emulators/start.ts";

/** Runs a command with the Firestore and Pub/Sub emulators beside it; resolves with its exit code. */
export async function withEmulators(
  command: readonly [string, ...string[]],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const emulators = await startEmulators();
  const ignore = (): void => {}; // the command gets the same Ctrl-C and ends first
  process.on("SIGINT", ignore);
  try {
    const [name, ...args] = command;
    // The Node of this script: the one on the PATH may be too old.
    const child = spawn(name === "node" ? process.execPath : name, args, {
      stdio: "inherit",
      env: { ...environment, ...emulators.environment },
    });
    const forward = (): void => void child.kill("SIGTERM");
    process.once("SIGTERM", forward);
    const [code] = (await once(child, "exit")) as [number | null, string | null];
    process.off("SIGTERM", forward);
    return code ?? 1;
  } finally {
    await emulators.stop();
    process.off("SIGINT", ignore);
  }
}

if (import.meta.main) {
  const command = process.argv.slice(2).filter((argument, index) => !(index === 0 && argument === "--"));
  const problem = command.length === 0 ? "Usage: npm run emulators -- <command> [arguments]" : await missingJava();
  if (problem) {
    console.error(command.length === 0 ? problem : `Emulators cannot run: ${problem}.`);
    process.exit(command.length === 0 ? 64 : 69);
  }
  process.exitCode = await withEmulators(command as [string, ...string[]]); // checked above: not empty
}
