import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const PREFIXES = [
  "/usr/lib/google-cloud-sdk",
  "/usr/share/google-cloud-sdk",
  "/usr/local/share/google-cloud-sdk",
  "/opt/google-cloud-sdk",
  "/opt/homebrew/share/google-cloud-sdk",
  "/snap/google-cloud-cli/current",
];

/** Emulators of an installed Google Cloud SDK; undefined for each component that is not installed. */
export interface SdkEmulators {
  firestoreJar: string | undefined;
  pubsubScript: string | undefined;
}

/** Looks where `gcloud` itself would: CLOUDSDK_ROOT_DIR, the folder of the `gcloud` on the PATH, usual prefixes. */
export function findSdkEmulators(environment: NodeJS.ProcessEnv): SdkEmulators {
  const roots = [environment.CLOUDSDK_ROOT_DIR, gcloudRoot(environment.PATH), join(homedir(), "google-cloud-sdk"), ...PREFIXES];
  const first = (...path: string[]): string | undefined =>
    roots.map((root) => root && join(root, "platform", ...path)).find((file) => file && existsSync(file));
  return {
    firestoreJar: first("cloud-firestore-emulator", "cloud-firestore-emulator.jar"),
    pubsubScript: process.platform === "win32" ? undefined : first("pubsub-emulator", "bin", "cloud-pubsub-emulator"),
  };
}

function gcloudRoot(path: string | undefined): string | undefined {
  const gcloud = (path ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "gcloud"))
    .find((file) => existsSync(file));
  return gcloud && dirname(dirname(realpathSync(gcloud)));
}
