import { describe, expect, test } from "vitest";
import type { MemoryAppend } from "../../../src/definition/memory.ts";
import type { ExecutionHandle } from "../../../src/ports/store.ts";
import { claimed, commitOn, newTenant, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

const DAY_MS = 86_400_000;

function anAppend(said: string, over: Partial<MemoryAppend> = {}): MemoryAppend {
  const now = Date.now();
  return {
    key: "ann/orders?",
    messages: [
      { role: "user", content: `${said}?` },
      { role: "assistant", content: said },
    ],
    at: new Date(now).toISOString(),
    expiresAt: new Date(now + DAY_MS).toISOString(),
    ...over,
  };
}

export function memoriesSuite(adapter: StoreUnderTest): void {
  describe("memories", () => {
    const { use } = sharedStore(adapter);
    const begin = async (tenant: string) => await claimed(use(), await start(use(), { tenant }), "a");
    const add = async (handle: ExecutionHandle, ...memories: MemoryAppend[]) =>
      await use().executions.commit(commitOn(handle, { lastSeq: handle.execution.lastSeq + 1 }, { memories }));
    const answers = async (tenant: string, key = "ann/orders?") =>
      (await use().memories.get(tenant, key))?.messages.flatMap(({ role, content }) => (role === "assistant" ? [content] : []));

    test("what commits add is there in their order, whichever execution they are of", async () => {
      const tenant = newTenant();
      const [one, other] = [await begin(tenant), await begin(tenant)];
      expect(await use().memories.get(tenant, "ann/orders?")).toBeUndefined();
      const next = await add(one, anAppend("first"));
      await add(other, anAppend("second", { messages: [{ role: "assistant", content: "second" }] }), anAppend("third"));
      await add(next, anAppend("fourth"), anAppend("elsewhere", { key: "bob" }));
      expect(await answers(tenant)).toEqual(["first", "second", "third", "fourth"]);
      expect(await answers(tenant, "bob")).toEqual(["elsewhere"]);
      expect(await answers(newTenant())).toBeUndefined();
    });

    test("a commit that is refused adds nothing, and one that is sent twice adds once", async () => {
      const tenant = newTenant();
      const handle = await begin(tenant);
      const commit = commitOn(handle, { lastSeq: handle.execution.lastSeq + 1 }, { memories: [anAppend("once")] });
      await use().executions.commit(commit);
      await use().executions.commit(commit);
      const stale = commitOn(handle, { lastSeq: handle.execution.lastSeq + 1, tags: ["stale"] }, { memories: [anAppend("stale")] });
      await expect(use().executions.commit(stale)).rejects.toMatchObject({ code: "LEASE_LOST" });
      expect(await answers(tenant)).toEqual(["once"]);
    });

    test("executions that add at the same time all count", async () => {
      const tenant = newTenant();
      const handles = await Promise.all(Array.from({ length: 4 }, async () => await begin(tenant)));
      await Promise.all(
        handles.map(async (handle, n) => {
          const commit = commitOn(handle, { lastSeq: handle.execution.lastSeq + 1 }, { memories: [anAppend(`a${n}`)] });
          return await use().executions.commit(commit);
        }),
      );
      expect((await answers(tenant))?.toSorted()).toEqual(["a0", "a1", "a2", "a3"]);
    });

    test("what is over is not read, and the next addition begins anew", async () => {
      const tenant = newTenant();
      const past = { at: "2020-01-01T00:00:00.000Z", expiresAt: "2020-02-01T00:00:00.000Z" };
      const next = await add(await begin(tenant), anAppend("old", past));
      expect(await answers(tenant)).toBeUndefined();
      await add(next, anAppend("new"));
      expect(await answers(tenant)).toEqual(["new"]);
    });

    test("200 messages and 256 KiB are kept, the newest", async () => {
      const tenant = newTenant();
      let handle = await begin(tenant);
      const many = Array.from({ length: 250 }, (_, n) => ({ role: "assistant" as const, content: `${n}` }));
      handle = await add(handle, anAppend("x", { messages: many }));
      expect((await answers(tenant))?.length).toBe(200);
      const large = Array.from({ length: 20 }, (_, n) => ({ role: "assistant" as const, content: `${n}`.padEnd(20_000, "é") }));
      await add(handle, anAppend("x", { messages: large }));
      expect((await answers(tenant))?.map((text) => text.slice(0, 2))).toEqual(["14", "15", "16", "17", "18", "19"]);
    });

    test("what is deleted is gone, and was there once only", async () => {
      const tenant = newTenant();
      const next = await add(await begin(tenant), anAppend("first"));
      expect(await use().memories.delete(tenant, "ann/orders?")).toBe(true);
      expect(await use().memories.delete(tenant, "ann/orders?")).toBe(false);
      expect(await answers(tenant)).toBeUndefined();
      await add(next, anAppend("second"));
      expect(await answers(tenant)).toEqual(["second"]);
    });
  });
}
