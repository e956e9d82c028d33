import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Queue, WorkHint } from "../../../src/ports/queue.ts";

/** What an adapter gives to be measured against the `Queue` port. */
export interface QueueUnderTest {
  name: string;
  /** A queue nobody else uses. */
  open(): Promise<Queue>;
  /** Another handle on the same queue, as another process would have it. */
  openSecond?(first: Queue): Promise<Queue>;
}

const PATIENT = { timeout: 25_000, interval: 10 };

/** Every promise of `src/ports/queue.ts`, on one adapter. */
export function describeQueue(adapter: QueueUnderTest): void {
  describe(`queue on ${adapter.name}`, () => {
    let queue: Queue;
    beforeEach(async () => {
      queue = await adapter.open();
    });
    afterEach(async () => await queue.close());

    test("every hint arrives, with its tenant", async () => {
      const taken: WorkHint[] = [];
      await queue.consume((hint) => taken.push(hint));
      const sent = hints(100);
      await Promise.all(sent.map((hint) => queue.enqueue(hint)));
      await expect.poll(() => idsOf(taken), PATIENT).toEqual(idsOf(sent));
      expect(new Set(taken.map(({ tenant }) => tenant))).toEqual(new Set(["tenant ä/1"]));
    });

    test("whoever enqueues goes on before the hint is acted on", async () => {
      let isTaken = false;
      await queue.consume(() => (isTaken = true));
      await queue.enqueue(hintOf(0));
      expect(isTaken).toBe(false);
      await expect.poll(() => isTaken, PATIENT).toBe(true);
    });

    test("a process that keeps its own hints is given them whole, on the next turn of its event loop", async () => {
      const taken: WorkHint[] = [];
      await queue.consume((hint) => taken.push(hint), { freeSlots: () => 1, keepsOwn: () => true });
      const whole: WorkHint = { ...hintOf(0), handle: {} as WorkHint["handle"] }; // nobody looks into it
      await queue.enqueue(whole);
      expect(taken).toEqual([]);
      await new Promise((resolve) => setImmediate(resolve));
      expect(taken).toEqual([whole]);
      expect(taken[0]).toBe(whole);
    });

    test("a consumer that stopped gets nothing more", async () => {
      const [stopped, going]: string[][] = [[], []];
      const stop = await queue.consume(({ executionId }) => stopped?.push(executionId));
      await queue.enqueue(hintOf(0));
      await expect.poll(() => stopped, PATIENT).toEqual([hintOf(0).executionId]);
      await stop();
      await queue.consume(({ executionId }) => going?.push(executionId));
      await queue.enqueue(hintOf(1));
      await expect.poll(() => going, PATIENT).toContain(hintOf(1).executionId);
      expect(stopped).toEqual([hintOf(0).executionId]);
    });

    test("closing twice does no harm, and a hint after it is dropped without an error", async () => {
      await queue.consume(() => {});
      await Promise.all([queue.close(), queue.close()]);
      await expect(queue.enqueue(hintOf(0))).resolves.toBeUndefined();
    });

    test.runIf(adapter.openSecond)("every hint reaches one of several processes", async () => {
      const second = await adapter.openSecond?.(queue);
      if (!second) return;
      try {
        const taken: WorkHint[][] = [[], []];
        for (const [n, each] of [queue, second].entries()) await each.consume((given) => taken[n]?.push(given));
        const sent = hints(200);
        await Promise.all(sent.map((given, n) => (n % 2 === 0 ? queue : second).enqueue(given)));
        await expect.poll(() => idsOf(taken.flat()), PATIENT).toEqual(idsOf(sent));
      } finally {
        await second.close();
      }
    });

    test.runIf(adapter.openSecond)("a process without free slots leaves the hints to the others", async () => {
      const second = await adapter.openSecond?.(queue);
      if (!second) return;
      try {
        const [full, free]: [WorkHint[], WorkHint[]] = [[], []];
        // Three slots that never become free again.
        await queue.consume((given) => full.push(given), { freeSlots: () => 3 - full.length });
        await second.consume((given) => free.push(given));
        const sent = hints(60);
        await Promise.all(sent.map((given) => queue.enqueue(given)));
        await expect.poll(() => idsOf([...full, ...free]), PATIENT).toEqual(idsOf(sent));
        expect(full.length).toBeLessThanOrEqual(3);
      } finally {
        await second.close();
      }
    });

    test.runIf(adapter.openSecond)("what a process would keep, until others fill it, goes to one with room", async () => {
      const second = await adapter.openSecond?.(queue);
      if (!second) return;
      try {
        const [near, far]: [WorkHint[], WorkHint[]] = [[], []];
        await queue.consume((given) => near.push(given), { freeSlots: () => 0, keepsOwn: () => near.length < 3 });
        await second.consume((given) => far.push(given));
        const sent = hints(20);
        await Promise.all(sent.map((given) => queue.enqueue(given)));
        await expect.poll(() => idsOf([...near, ...far]), PATIENT).toEqual(idsOf(sent));
        expect(near).toHaveLength(3);
      } finally {
        await second.close();
      }
    });

    test.runIf(adapter.openSecond)("what a process was given and did not begin goes to another one when it ends", async () => {
      const second = await adapter.openSecond?.(queue);
      if (!second) return;
      let isHolding = false;
      const freeSlots = () => {
        isHolding = true;
        return 0;
      };
      await queue.consume(() => {}, { freeSlots });
      const sent = hints(20);
      await Promise.all(sent.map((given) => second.enqueue(given)));
      await expect.poll(() => isHolding, PATIENT).toBe(true);
      await queue.close();
      const taken: WorkHint[] = [];
      try {
        await second.consume((given) => taken.push(given));
        await expect.poll(() => idsOf(taken), PATIENT).toEqual(idsOf(sent));
      } finally {
        await second.close();
      }
    });
  });
}

function hintOf(n: number): WorkHint {
  return { tenant: "tenant ä/1", executionId: `execution-${n}` };
}

function hints(count: number): WorkHint[] {
  return Array.from({ length: count }, (_, n) => hintOf(n));
}

/** Each id once: a queue may deliver again. */
function idsOf(given: WorkHint[]): string[] {
  return [...new Set(given.map(({ executionId }) => executionId))].toSorted();
}
