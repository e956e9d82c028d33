import { afterAll, beforeAll } from "vitest";
import type { Store } from "../../../src/ports/store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

/** Opens one store for the surrounding `describe` and closes it at the end; `use()` gives it inside the tests. */
export function sharedStore(adapter: StoreUnderTest): { use(): Store } {
  let store: Store | undefined;
  beforeAll(async () => {
    store = await adapter.open();
  });
  afterAll(async () => {
    await store?.close();
  });
  return {
    use() {
      if (!store) throw new Error("the store is open inside tests only");
      return store;
    },
  };
}

/** Runs `work` with two handles on the same data and closes the second; the first is the shared one. */
export async function withSecond(adapter: StoreUnderTest, first: Store, work: (second: Store) => Promise<void>): Promise<void> {
  if (!adapter.openSecond) throw new Error("this adapter has no second handle");
  const second = await adapter.openSecond(first);
  try {
    await work(second);
  } finally {
    await second.close();
  }
}
