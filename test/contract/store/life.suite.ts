import { describe, expect, test } from "vitest";
import { newTenant, refusalCodes, start } from "./fixtures.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function lifeSuite(adapter: StoreUnderTest): void {
  describe("opening and closing", () => {
    test("an open store answers a ping; a closed one refuses with UNAVAILABLE, ping and write alike", async () => {
      const store = await adapter.open();
      await expect(store.ping()).resolves.toBeUndefined();
      await store.close();
      await expect(store.ping()).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await expect(start(store, { tenant: newTenant() })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    });

    test("closing twice is no error", async () => {
      const store = await adapter.open();
      await store.close();
      await expect(store.close()).resolves.toBeUndefined();
    });

    test("what was accepted before closing is durable or was refused", async () => {
      const store = await adapter.open();
      const tenant = newTenant();
      const writes = Array.from({ length: 20 }, (_, n) => start(store, { tenant, id: `e${n}` }));
      const closing = store.close();
      const outcomes = await Promise.allSettled(writes);
      await closing;
      expect(refusalCodes(outcomes).filter((code) => code !== "UNAVAILABLE")).toEqual([]);
    });

    test.runIf(adapter.openSecond)("what one handle wrote another one reads after the first is closed", async () => {
      const first = await adapter.open();
      const second = await adapter.openSecond?.(first);
      if (!second) throw new Error("this adapter has no second handle");
      const { execution } = await start(first, { tenant: newTenant() });
      await first.close();
      expect((await second.executions.get(execution.tenant, execution.id))?.execution).toEqual(execution);
      await second.close();
    });
  });
}
