import type { Query, QueryDocumentSnapshot, QuerySnapshot } from "@google-cloud/firestore";
import { describe, expect, test } from "vitest";
import { listen } from "../../src/adapters/firestore/listener.ts";
import { claimed, commitOn, newTenant, start, watching } from "../contract/store/fixtures.ts";
import { manualClock } from "../support/manual-clock.ts";
import { emulated, newProject, openTestStore } from "./projects.ts";

describe.runIf(emulated)("listeners on Firestore", () => {
  test("however many watch an execution on a pod, one listener serves them, and it ends with the last of them", async () => {
    const project = newProject();
    let listens = 0;
    const watcherPod = openTestStore(project, { onCall: (method) => void (listens += method === "Listen" ? 1 : 0) });
    const workerPod = openTestStore(project);
    try {
      let handle = await claimed(workerPod, await start(workerPod, { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const watchers = Array.from({ length: 5 }, () => watching((onChange) => watcherPod.events.watch(tenant, id, onChange)));
      await expect.poll(() => listens, { timeout: 10_000 }).toBe(1);
      const told = watchers.map(({ calls }) => calls.length);
      handle = await workerPod.executions.commit(commitOn(handle, { lastSeq: handle.execution.lastSeq + 2 }));
      await Promise.all(watchers.map((watcher, index) => watcher.until((calls) => calls.length > (told[index] ?? 0))));
      expect(listens).toBe(1);
      for (const watcher of watchers) watcher.stop();
      const again = watching((onChange) => watcherPod.events.watch(tenant, id, onChange));
      await expect.poll(() => listens, { timeout: 10_000 }).toBe(2);
      again.stop();
    } finally {
      await watcherPod.close();
      await workerPod.close();
    }
  });
});

/** What Google's client does with a stream: says something when told to, or nothing ever. */
function aStream() {
  const attached: { say: (documents: QueryDocumentSnapshot[]) => void; fail: () => void; isDetached: boolean }[] = [];
  const onSnapshot = (onNext: (snapshot: QuerySnapshot) => void, onError: () => void) => {
    const one = {
      say: (documents: QueryDocumentSnapshot[]) =>
        onNext({ docChanges: () => documents.map((doc) => ({ type: "added", doc })) } as unknown as QuerySnapshot), // all that is looked at
      fail: onError,
      isDetached: false,
    };
    attached.push(one);
    return () => void (one.isDetached = true);
  };
  return { attached, query: async () => ({ onSnapshot }) as unknown as Query }; // all that is asked of it
}

describe("a listener", () => {
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const page = { id: "7" } as QueryDocumentSnapshot; // it is passed on, not looked into

  test("that has said nothing for half a minute is attached anew, whatever its stream believes", async () => {
    const clock = manualClock();
    const { attached, query } = aStream();
    const heard: string[][] = [];
    const stop = listen({ clock, delayMs: 0, query, onDocuments: (documents) => heard.push(documents.map(({ id }) => id)) });
    clock.advance(0);
    await settled();
    attached[0]?.say([]);
    expect(heard).toEqual([[]]);
    clock.advance(29_999);
    await settled();
    expect(attached).toHaveLength(1);
    clock.advance(1);
    await settled();
    expect(attached.map(({ isDetached }) => isDetached)).toEqual([true, false]);
    attached[1]?.say([page]);
    expect(heard).toEqual([[], ["7"]]);
    stop();
    expect(attached[1]?.isDetached).toBe(true);
    clock.advance(60_000);
    await settled();
    expect(attached).toHaveLength(2);
  });

  test("whose stream broke, or whose query could not be made, is attached a second later", async () => {
    const clock = manualClock();
    const { attached, query } = aStream();
    let isAway = true;
    const asked = async () => {
      if (isAway) throw new Error("away");
      return await query();
    };
    const stop = listen({ clock, delayMs: 0, query: asked, onDocuments: () => {} });
    clock.advance(0);
    await settled();
    isAway = false;
    clock.advance(1_000);
    await settled();
    expect(attached).toHaveLength(1);
    attached[0]?.fail();
    clock.advance(1_000);
    await settled();
    expect(attached).toHaveLength(2);
    stop();
  });
});
