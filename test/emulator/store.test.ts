import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { openFirestoreStore } from "../../src/adapters/firestore/store.ts";
import { openStore } from "../../src/adapters/open.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { start } from "../contract/store/fixtures.ts";
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

describe.runIf(emulated)("a project with several databases", () => {
  test("each is a store of its own, as a restored one beside the default", async () => {
    const project = newProject();
    const open = (spec: string) => openStore(spec, { ownerId: randomUUID(), clock: systemClock });
    const [first, restored] = await Promise.all([open(`firestore:${project}`), open(`firestore:${project}/restored`)]);
    const { execution } = await start(restored, { tenant: "acme", id: randomUUID() });
    expect((await restored.executions.get("acme", execution.id))?.execution.id).toBe(execution.id);
    expect(await first.executions.get("acme", execution.id)).toBeUndefined();
    await Promise.all([first.close(), restored.close()]);
  });
});
