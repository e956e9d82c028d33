import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import type { WorkflowInput } from "../../src/definition/workflow.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { createWorkflowManager, type WorkflowManager } from "../../src/workflows/manager.ts";
import { catalog } from "../definition/catalog.ts";

const actor = { id: "ann", tenant: "default" };
let now = Date.parse("2030-01-01T00:00:00Z");
const clock: Clock = { now: () => (now += 1_000), after: () => () => {} };
let store: Store;
let workflows: WorkflowManager;
beforeEach(async () => {
  store = await openStore("sqlite::memory:", { ownerId: "test", clock });
  workflows = createWorkflowManager({ store, stepTypes: catalog, clock });
});
afterEach(() => store.close());

/** A workflow as a client sends it; `set` makes one definition differ from another. */
function body(more: object = {}, set: object = {}): WorkflowInput {
  return { name: "greet", steps: [{ id: "a", type: "transform", config: { set } }], ...more } as unknown as WorkflowInput;
}

function failing(code: string, issues?: { code: string; pointer: string }[]): Error {
  const shape = issues ? { code, issues: issues.map((issue) => expect.objectContaining(issue) as object) } : { code };
  return expect.objectContaining(shape) as Error;
}

describe("validate", () => {
  test("answers anything, with every problem and the canonical form", () => {
    expect(workflows.validate(body({ trigger: { type: "manual" } }))).toMatchObject({
      valid: true,
      issues: [],
      definition: { triggers: [{ type: "manual", enabled: true }], steps: [{ id: "a", name: "a", nextSteps: [] }] },
    });
    for (const nonsense of [undefined, null, 7, "x", [], {}, () => {}, new Date(), { steps: 1n }]) {
      expect(workflows.validate(nonsense)).toMatchObject({ valid: false, definition: null });
    }
    expect(workflows.validate(body({ onError: { action: "goto", goto: "b" } }))).toMatchObject({
      valid: false,
      issues: [{ code: "ERROR_POLICY_TARGET" }],
    });
  });
});

describe("create", () => {
  test("saves version 1, active unless told, under an id of its own unless told", async () => {
    const created = await workflows.create(actor, body());
    expect(created).toMatchObject({ tenant: "default", version: 1, revision: 1, status: "active", createdAt: created.updatedAt });
    expect(await workflows.get("default", created.id)).toEqual(created);
    expect(await workflows.getVersion("default", created.id, 1)).toEqual(created.definition);
    expect((await workflows.create(actor, body({ id: "greet", status: "draft" }))).id).toBe("greet");
    expect((await workflows.create(actor, body({ isActive: false }))).status).toBe("draft");
  });

  test("an id that is taken is a CONFLICT, and only in the same tenant", async () => {
    await workflows.create(actor, body({ id: "greet" }));
    await expect(workflows.create(actor, body({ id: "greet" }))).rejects.toThrow(failing("CONFLICT"));
    await expect(workflows.create({ id: "bob", tenant: "other" }, body({ id: "greet" }))).resolves.toMatchObject({ tenant: "other" });
  });

  test("an invalid definition is refused with all its issues, and nothing is saved", async () => {
    const bad = body({ id: "bad", variables: { n: { type: "number", default: "x" } }, output: { x: "${ vars.m }" } });
    await expect(workflows.create(actor, bad)).rejects.toThrow(
      failing("INVALID_DEFINITION", [
        { code: "UNKNOWN_VARIABLE", pointer: "/output/x" },
        { code: "DEFAULT_TYPE_MISMATCH", pointer: "/variables/n/default" },
      ]),
    );
    await expect(workflows.get("default", "bad")).rejects.toThrow(failing("NOT_FOUND"));
  });

  test("more than 512 KiB is TOO_LARGE", async () => {
    await expect(workflows.create(actor, body({}, { text: "x".repeat(600_000) }))).rejects.toThrow(failing("TOO_LARGE"));
  });

  test("a new workflow is not archived", async () => {
    await expect(workflows.create(actor, body({ status: "archived" }))).rejects.toThrow(
      failing("INVALID_DEFINITION", [{ code: "INVALID_VALUE", pointer: "/status" }]),
    );
  });
});

describe("update", () => {
  test("a changed definition is the next version, and the one before stays", async () => {
    const { id, definition } = await workflows.create(actor, body());
    const updated = await workflows.update(actor, id, body({}, { a: 1 }));
    expect(updated).toMatchObject({ version: 2, revision: 2, status: "active", definition: { steps: [{ config: { set: { a: 1 } } }] } });
    expect(updated.updatedAt > updated.createdAt).toBe(true);
    expect(await workflows.getVersion("default", id, 1)).toEqual(definition);
    expect(await workflows.getVersion("default", id, 2)).toEqual(updated.definition);
    await expect(workflows.getVersion("default", id, 3)).rejects.toThrow(failing("NOT_FOUND"));
  });

  test("the same definition, in whatever order and notation, is the same version and no write", async () => {
    const created = await workflows.create(actor, body({ trigger: { type: "manual" }, tags: ["x"] }, { a: 1, b: { c: [1] } }));
    const again = body({ tags: ["x"], triggers: [{ type: "manual", enabled: true }], description: undefined }, { b: { c: [1] }, a: 1 });
    expect(await workflows.update(actor, created.id, again)).toEqual(created);
    const reread = await workflows.get("default", created.id);
    expect(await workflows.update(actor, created.id, { ...reread.definition, id: created.id })).toEqual(created);
  });

  test("a status alone is a revision, not a version", async () => {
    const { id } = await workflows.create(actor, body());
    expect(await workflows.update(actor, id, body({ isActive: false }))).toMatchObject({ status: "draft", version: 1, revision: 2 });
    expect(await workflows.update(actor, id, body())).toMatchObject({ status: "draft", version: 1, revision: 2 });
    expect(await workflows.update(actor, id, body({ isActive: true }))).toMatchObject({ status: "active", version: 1, revision: 3 });
  });

  test("an archived workflow comes back by its status, and by nothing else", async () => {
    const { id } = await workflows.create(actor, body());
    expect(await workflows.archive(actor, id)).toMatchObject({ status: "archived", version: 1, revision: 2 });
    expect(await workflows.archive(actor, id)).toMatchObject({ revision: 2 });
    expect(await workflows.update(actor, id, body({ isActive: false }))).toMatchObject({ status: "archived" });
    expect(await workflows.update(actor, id, body({}, { a: 1 }))).toMatchObject({ status: "archived", version: 2 });
    expect(await workflows.update(actor, id, body({ status: "active" }, { a: 1 }))).toMatchObject({
      status: "active",
      version: 2,
      revision: 4,
    });
  });

  test("a revision that is no longer the present one is a VERSION_MISMATCH", async () => {
    const { id } = await workflows.create(actor, body());
    await workflows.update(actor, id, body({}, { a: 1 }), 1);
    await expect(workflows.update(actor, id, body({}, { a: 2 }), 1)).rejects.toThrow(failing("VERSION_MISMATCH"));
    await expect(workflows.archive(actor, id, 1)).rejects.toThrow(failing("VERSION_MISMATCH"));
    expect(await workflows.get("default", id)).toMatchObject({ version: 2, revision: 2 });
  });

  test("of concurrent guarded updates one wins; unguarded ones all happen, each as a version", async () => {
    const { id } = await workflows.create(actor, body());
    const guarded = await Promise.allSettled([1, 2, 3, 4].map((a) => workflows.update(actor, id, body({}, { a }), 1)));
    expect(guarded.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected", "rejected"]);
    for (const result of guarded) if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "VERSION_MISMATCH" });
    const unguarded = await Promise.all([11, 12, 13, 14].map((a) => workflows.update(actor, id, body({}, { a }))));
    expect(unguarded.map(({ version }) => version).toSorted()).toEqual([3, 4, 5, 6]);
    const sets = await Promise.all([3, 4, 5, 6].map((version) => workflows.getVersion("default", id, version)));
    expect(new Set(sets.map((definition) => JSON.stringify(definition.steps[0]?.config)))).toHaveLength(4);
  });

  test("an id is not changed", async () => {
    const { id } = await workflows.create(actor, body());
    await expect(workflows.update(actor, id, body({ id: "other" }))).rejects.toThrow(
      failing("INVALID_DEFINITION", [{ code: "CONTRADICTION", pointer: "/id" }]),
    );
  });

  test("a workflow of another tenant is not there", async () => {
    const { id } = await workflows.create(actor, body());
    const stranger = { id: "eve", tenant: "other" };
    for (const attempt of [
      () => workflows.get("other", id),
      () => workflows.getVersion("other", id, 1),
      () => workflows.update(stranger, id, body({}, { a: 1 })),
      () => workflows.archive(stranger, id),
    ]) {
      await expect(attempt()).rejects.toThrow(failing("NOT_FOUND"));
    }
    expect(await workflows.getMany("other", [id])).toEqual([]);
  });
});

test("lists, many and statistics are those of the store", async () => {
  const one = await workflows.create(actor, body({ tags: ["x"] }));
  const two = await workflows.create(actor, body({ status: "draft" }));
  expect((await workflows.list("default", { pageSize: 10 })).items.map(({ id }) => id).toSorted()).toEqual([one.id, two.id].toSorted());
  expect((await workflows.list("default", { pageSize: 10, status: "draft" })).items).toEqual([two]);
  expect((await workflows.list("default", { pageSize: 10, tags: ["x"] })).items).toEqual([one]);
  expect(await workflows.getMany("default", [two.id, "nothing"])).toEqual([two]);
  expect((await workflows.stats("default", [one.id])).get(one.id)).toMatchObject({ total: 0, successRate: null, lastExecuted: null });
});
