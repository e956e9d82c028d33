import { PubSub } from "@google-cloud/pubsub";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { openQueue, type QueueLog } from "../../src/adapters/open-queue.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { Queue } from "../../src/ports/queue.ts";
import { describeQueue } from "../contract/queue/queue.suite.ts";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { emulated, newProject } from "./projects.ts";

const PATIENT = { timeout: 20_000, interval: 20 };

interface Opening {
  project: string;
  /** What stands before the emulator, if not the emulator itself. */
  through?: string;
  log?: QueueLog;
}

async function open({ project, through, log = () => {} }: Opening): Promise<Queue> {
  const direct = inject("emulators")?.pubsub ?? "";
  // The client reads the variable when it is made.
  process.env.PUBSUB_EMULATOR_HOST = through ?? direct;
  try {
    return await openQueue(`pubsub:${project}`, { prefix: "signalbox", create: false, clock: systemClock, log });
  } finally {
    process.env.PUBSUB_EMULATOR_HOST = direct;
  }
}

describe.runIf(emulated)("Pub/Sub", () => {
  const projects = new WeakMap<Queue, string>();
  describeQueue({
    name: "Pub/Sub",
    async open() {
      const project = newProject();
      const queue = await open({ project });
      projects.set(queue, project);
      return queue;
    },
    openSecond: async (first) => await open({ project: projects.get(first) ?? "" }),
  });

  describe("while it fails", () => {
    let proxy: FaultProxy;
    let queue: Queue;
    let project: string;
    let lines: string[];
    const log: QueueLog = (message) => lines.push(message);
    beforeEach(async () => {
      lines = [];
      project = newProject();
      proxy = await startFaultProxy(inject("emulators")?.pubsub ?? "");
    });
    afterEach(async () => {
      await queue.close();
      await proxy[Symbol.asyncDispose]();
    });

    test.each(["refuse", "blackhole"] as const)("%s: enqueueing costs nothing, says so once, and works again afterwards", async (fault) => {
      queue = await open({ project, through: proxy.address, log });
      const taken: string[] = [];
      await queue.consume(({ executionId }) => taken.push(executionId));
      await queue.enqueue({ tenant: "t", executionId: "before" });
      await expect.poll(() => taken, PATIENT).toContain("before");
      proxy.set(fault);
      const began = performance.now();
      for (let n = 0; n < 50; n += 1) await queue.enqueue({ tenant: "t", executionId: `lost-${n}` });
      expect(performance.now() - began).toBeLessThan(100);
      await expect.poll(() => lines.filter((line) => line.startsWith("work hints get lost")).length, PATIENT).toBe(1);
      proxy.set("pass");
      let n = 0;
      const probe = async () => {
        n += 1;
        await queue.enqueue({ tenant: "t", executionId: `after-${n}` });
        return taken.some((id) => id.startsWith("after-"));
      };
      await expect.poll(probe, { timeout: 20_000, interval: 200 }).toBe(true);
      expect(lines.filter((line) => line.startsWith("work hints get lost"))).toHaveLength(1);
    });

    test("a service that starts without it works with it as soon as it is there", async () => {
      proxy.set("refuse");
      queue = await open({ project, through: proxy.address, log });
      const taken: string[] = [];
      await queue.consume(({ executionId }) => taken.push(executionId));
      expect(lines).toContain("Pub/Sub is away; work is found through the store meanwhile");
      proxy.set("pass");
      const probe = async () => {
        await queue.enqueue({ tenant: "t", executionId: "late" });
        return taken.length > 0;
      };
      await expect.poll(probe, { timeout: 25_000, interval: 200 }).toBe(true);
    });

    test("closing does not wait for it", async () => {
      queue = await open({ project, through: proxy.address, log });
      await queue.consume(() => {});
      proxy.set("blackhole");
      await queue.enqueue({ tenant: "t", executionId: "last" });
      const began = performance.now();
      await queue.close();
      expect(performance.now() - began).toBeLessThan(8_000);
    });

    test("a subscription that somebody deletes is made and read again", async () => {
      queue = await open({ project, log });
      const taken: string[] = [];
      await queue.consume(({ executionId }) => taken.push(executionId));
      const client = new PubSub({ projectId: project });
      await client.subscription("signalbox-work").delete();
      const probe = async () => {
        await queue.enqueue({ tenant: "t", executionId: "again" });
        return taken.length > 0;
      };
      await expect.poll(probe, { timeout: 25_000, interval: 200 }).toBe(true);
      await client.close();
    });

    test("what is no hint is put away and the others flow", async () => {
      queue = await open({ project, log });
      const taken: string[] = [];
      await queue.consume(({ executionId }) => taken.push(executionId));
      const client = new PubSub({ projectId: project });
      const topic = client.topic("signalbox-work");
      for (const text of ["{", "null", "{}", '{"tenant":"t","executionId":7}']) await topic.publishMessage({ data: Buffer.from(text) });
      await queue.enqueue({ tenant: "t", executionId: "good" });
      await expect.poll(() => taken, PATIENT).toEqual(["good"]);
      await client.close();
    });
  });
});
