import { randomUUID } from "node:crypto";
import { describe } from "vitest";
import { openFirestoreStore } from "../../src/adapters/firestore/store.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { describeStore } from "../contract/store/store.suite.ts";
import { emulated, newProject } from "./projects.ts";

describe.runIf(emulated)("the Store contract", () => {
  const projects = new WeakMap<Store, string>();
  const open = (project: string): Store => {
    const store = openFirestoreStore({ project, clock: systemClock, ownerId: randomUUID() });
    projects.set(store, project);
    return store;
  };
  describeStore({
    name: "Firestore",
    open: async () => open(newProject()),
    openSecond: async (first) => open(projects.get(first) ?? newProject()),
  });
});
