import { pause, type Child } from "../../e2e/support/child.ts";

const LOOK_EVERY_MS = 50;

/** Sends callers to processes that say they are ready, as a Service does by readiness probes. */
export interface Balancer extends Disposable {
  /** A ready process, another one each time; waits while there is none. */
  next(): Promise<Child>;
  add(child: Child): void;
  /** Forgets a process that is gone; that one is stopping is learnt from its readiness alone. */
  remove(child: Child): void;
}

export function startBalancer(pool: Child[]): Balancer {
  const ready = new Set<Child>();
  let turn = 0;
  let isOver = false;

  /** Each by itself: one that is slow to answer must not keep us from seeing that another one stops. */
  async function watch(child: Child): Promise<void> {
    while (!isOver && pool.includes(child)) {
      const isReady = await fetch(`${child.baseUrl}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
        async (response) => (await response.arrayBuffer(), response.ok),
        () => false,
      );
      if (isReady && pool.includes(child)) ready.add(child);
      else ready.delete(child);
      await pause(LOOK_EVERY_MS);
    }
  }
  // Ends with the pool or with the balancer, and never fails.
  for (const child of pool) void watch(child);

  return {
    async next() {
      for (;;) {
        const members = pool.filter((child) => ready.has(child));
        const chosen = members[turn++ % Math.max(1, members.length)];
        if (chosen) return chosen;
        await pause(LOOK_EVERY_MS);
      }
    },
    add(child) {
      pool.push(child);
      void watch(child);
    },
    remove(child) {
      ready.delete(child);
      pool.splice(pool.indexOf(child), 1);
    },
    [Symbol.dispose]: () => void (isOver = true),
  };
}
