import { pause, type Child } from "./child.ts";

const LOOK_EVERY_MS = 10;

export interface MortalPods extends AsyncDisposable {
  /** The one of a place, at present. */
  at(place: number): Child;
  /** When pods were killed, epoch milliseconds. */
  readonly kills: readonly number[];
  /** Starts killing, one place after the other; `next` tells when, epoch milliseconds, not before the moment it is asked. */
  torment(next: () => number): void;
  /** Ends the killing; resolves when every pod is up again. */
  relent(): Promise<void>;
}

/** Pods that are killed one after the other; in the place of each another one starts at once. One that is ready is left at any time. */
export async function startMortalPods(count: number, start: (place: number) => Promise<Child>): Promise<MortalPods> {
  const pods = await Promise.all(Array.from({ length: count }, (_, place) => start(place)));
  const ready = new Set<number>();
  let isOver = false;
  let killing: Promise<void> = Promise.resolve();
  const kills: number[] = [];

  async function end(): Promise<void> {
    isOver = true;
    await killing.catch(() => {}); // told by whoever relents
    await Promise.all(pods.map((pod) => pod.kill()));
  }

  async function rise(place: number): Promise<void> {
    await pods[place]?.ready();
    ready.add(place);
  }

  async function killForever(next: () => number): Promise<void> {
    const rising: Promise<void>[] = [];
    for (let place = 0; !isOver; place = (place + 1) % count) {
      // Where pods start more slowly than they are killed there would be none that works.
      while (!isOver && !(ready.has(place) && ready.size > 1)) await pause(LOOK_EVERY_MS);
      for (const at = next(); !isOver && Date.now() < at;) await pause(Math.min(LOOK_EVERY_MS, Math.max(0, at - Date.now())));
      if (isOver) break;
      ready.delete(place);
      await pods[place]?.kill();
      kills.push(Date.now());
      pods[place] = await start(place);
      const up = rise(place);
      up.catch(() => {}); // awaited below
      rising.push(up);
    }
    await Promise.all(rising);
  }

  try {
    await Promise.all(pods.map((_, place) => rise(place)));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    kills,
    at: (place) => pods[place] as Child, // there are `count`
    torment(next) {
      killing = killForever(next);
      killing.catch(() => {}); // told by whoever relents
    },
    async relent() {
      isOver = true;
      await killing;
    },
    [Symbol.asyncDispose]: end,
  };
}
