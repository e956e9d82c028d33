import type { Dice } from "../kill/random.ts";
import { pause } from "../support/child.ts";
import type { Pod } from "./pods.ts";

/** What is done to a pod or to its way to Firestore. */
export const TROUBLES = ["kill", "stop", "term", "swallow", "reset", "blackhole", "latency"] as const;
export type TroubleKind = (typeof TROUBLES)[number];

export interface Trouble {
  kind: TroubleKind;
  pod: string;
  /** The process it came over. */
  pid: number;
  at: number;
}

/** How often each comes, relative to the others. */
const WEIGHTS: Record<TroubleKind, number> = { kill: 4, stop: 2, term: 2, swallow: 2, reset: 2, blackhole: 1, latency: 1 };
const URN = TROUBLES.flatMap((kind) => Array.from({ length: WEIGHTS[kind] }, () => kind)) as [TroubleKind, ...TroubleKind[]]; // no weight is 0

/** Troubles after which a process does nothing for a while. */
const DOWN: readonly TroubleKind[] = ["kill", "stop", "term"];
const HARMLESS = URN.filter((kind) => !DOWN.includes(kind)) as typeof URN; // most kinds are

const SWALLOW_MS = 400;
const BLACKHOLE_MS = 3_000;
const LATENCY_MS = 2_000;
/** A stopped process wakes up when others have its work: this many leases later. */
const STOPPED_LEASES = 1.6;

interface NemesisOptions {
  pods: readonly Pod[];
  diceOf(pod: Pod): Dice;
  until: number;
  leaseMs: number;
  /** How many times longer than on a machine of one's own everything lasts. */
  pace: number;
  /** Called for a process that ended without us. */
  onDeath(what: string): void;
}

/** Brings trouble over every pod, each at its own pace, until it is time, and one process down at a time; then all pods run and all networks are whole. */
export async function torment({ pods, diceOf, until, leaseMs, pace, onDeath }: NemesisOptions): Promise<Trouble[]> {
  const troubles: Trouble[] = [];
  const down = new Set<Pod>();
  await Promise.all(pods.map((pod) => haunt(pod, diceOf(pod))));
  return troubles;

  async function haunt(pod: Pod, dice: Dice): Promise<void> {
    for (;;) {
      await pause(dice.between(300, 3_000) * pace);
      if (Date.now() >= until) break;
      if (pod.child.ended) onDeath(`${pod.name}: ${JSON.stringify(pod.child.ended)} ${pod.child.output}`);
      // With every process down, a takeover would measure how long a process takes to start.
      const kind = dice.pick(down.size > 0 ? HARMLESS : URN);
      if (DOWN.includes(kind)) down.add(pod);
      troubles.push({ kind, pod: pod.name, pid: pod.child.pid, at: Date.now() });
      await bring(kind, pod, dice);
      down.delete(pod);
    }
    await pod.child.ready();
  }

  async function bring(kind: TroubleKind, pod: Pod, dice: Dice): Promise<void> {
    const { child, proxy } = pod;
    switch (kind) {
      case "kill":
      case "term":
        await (kind === "kill" ? child.kill() : child.stop());
        await pause(dice.between(0, 1_000));
        return await pod.start().ready();
      case "stop":
        process.kill(child.pid, "SIGSTOP");
        await pause(leaseMs * STOPPED_LEASES);
        process.kill(child.pid, "SIGCONT");
        return;
      case "swallow":
        return await during(SWALLOW_MS, () => proxy.set("swallow"));
      case "blackhole":
        return await during(BLACKHOLE_MS, () => proxy.set("blackhole"));
      case "latency":
        return await during(LATENCY_MS, () => proxy.set("latency", { latencyMs: dice.between(20, 200) }));
      case "reset":
        return proxy.reset();
      default:
        return kind satisfies never;
    }

    async function during(ms: number, begin: () => void): Promise<void> {
      begin();
      await pause(ms * pace);
      proxy.set("pass");
    }
  }
}
