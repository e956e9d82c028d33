import path from "node:path";
import { startFaultProxy, type FaultProxy } from "../../support/fault-proxy.ts";
import { freePort, ROOT, type Child } from "../support/child.ts";
import { startServiceOn } from "../support/service.ts";

/** One place where the service runs: a process after the other on one port, behind a network of its own. */
export interface Pod {
  name: string;
  baseUrl: string;
  /** Between the service and Firestore. */
  proxy: FaultProxy;
  /** The present process, or the last one. */
  child: Child;
  /** Starts the next process. */
  start(): Child;
}

export interface PodsOptions extends PodSettings {
  count: number;
}

interface PodSettings {
  /** `host:port` of the emulator. */
  firestore: string;
  project: string;
  env: Record<string, string>;
  /** False: the service runs without the guard of its writes. */
  isFenced?: boolean | undefined;
  /** Folder for what the processes print, a file for each place. */
  logs?: string | undefined;
}

export interface Pods extends AsyncDisposable {
  pods: Pod[];
  /** The base URL of another pod each time. */
  next(): string;
}

/** Starts pods with role `all` on one Firestore and waits until they are ready. */
export async function startPods({ count, ...settings }: PodsOptions): Promise<Pods> {
  const pods: Pod[] = [];
  let asked = 0;
  async function end(): Promise<void> {
    await Promise.all(pods.map(({ child }) => child.kill()));
    await Promise.all(pods.map(({ proxy }) => proxy[Symbol.asyncDispose]()));
  }
  try {
    for (let index = 0; index < count; index += 1) pods.push(await createPod(`pod-${index + 1}`, settings));
    await Promise.all(pods.map(({ child }) => child.ready()));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    pods,
    next: () => pods[asked++ % count]?.baseUrl ?? "",
    [Symbol.asyncDispose]: end,
  };
}

async function createPod(name: string, { firestore, project, env, isFenced = true, logs }: PodSettings): Promise<Pod> {
  const proxy = await startFaultProxy(firestore);
  const port = await freePort();
  const begin = (): Child =>
    startServiceOn({
      port,
      store: `firestore:${project}`,
      env: { ...env, FIRESTORE_EMULATOR_HOST: proxy.address, METADATA_SERVER_DETECTION: "none" },
      logFile: logs === undefined ? undefined : path.join(logs, `${name}.log`),
      preload: isFenced ? undefined : path.join(ROOT, "test", "e2e", "chaos", "fence-off.ts"),
    });
  const child = begin();
  const pod: Pod = { name, baseUrl: child.baseUrl, proxy, child, start: () => (pod.child = begin()) };
  return pod;
}
