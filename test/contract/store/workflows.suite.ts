import { describe, expect, test } from "vitest";
import { allPages, at, aWorkflow, newTenant, refusalCodes } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function workflowsSuite(adapter: StoreUnderTest): void {
  describe("workflows", () => {
    const { use } = sharedStore(adapter);

    test("a created workflow is read back as it was, head and version", async () => {
      const workflow = aWorkflow({ tenant: newTenant() });
      await use().workflows.create(workflow);
      expect(await use().workflows.get(workflow.tenant, workflow.id)).toEqual(workflow);
      expect(await use().workflows.getVersion(workflow.tenant, workflow.id, 1)).toEqual(workflow.definition);
    });

    test("what is not there is undefined", async () => {
      const tenant = newTenant();
      expect(await use().workflows.get(tenant, "nobody")).toBeUndefined();
      expect(await use().workflows.getVersion(tenant, "nobody", 1)).toBeUndefined();
    });

    test("a taken id is a CONFLICT and changes nothing, also when twenty come at once", async () => {
      const tenant = newTenant();
      const attempts = Array.from({ length: 20 }, (_, index) => aWorkflow({ tenant, id: "same", createdAt: at(index) }));
      const outcomes = await Promise.allSettled(attempts.map((workflow) => use().workflows.create(workflow)));
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === "fulfilled" ? [index] : []));
      expect(winners).toHaveLength(1);
      expect(refusalCodes(outcomes)).toEqual(Array.from({ length: 19 }, () => "CONFLICT"));
      expect(await use().workflows.get(tenant, "same")).toEqual(attempts[winners[0] ?? -1]);
    });

    test("an update replaces the head and keeps every version", async () => {
      const first = aWorkflow({ tenant: newTenant() });
      await use().workflows.create(first);
      const second = { ...first, version: 2, revision: 2, updatedAt: at(5), definition: { ...first.definition, name: "renamed" } };
      await use().workflows.update(second, 1);
      const third = { ...second, revision: 3, status: "archived" as const };
      await use().workflows.update(third, 2);
      expect(await use().workflows.get(first.tenant, first.id)).toEqual(third);
      expect(await use().workflows.getVersion(first.tenant, first.id, 1)).toEqual(first.definition);
      expect(await use().workflows.getVersion(first.tenant, first.id, 2)).toEqual(second.definition);
      expect(await use().workflows.getVersion(first.tenant, first.id, 3)).toBeUndefined();
    });

    test("the stamp of a tenant is another one after every write, and only then", async () => {
      const first = aWorkflow({ tenant: newTenant() });
      const stamps = [await use().workflows.stamp(first.tenant)];
      const note = async (write: Promise<void>) => {
        await write;
        stamps.push(await use().workflows.stamp(first.tenant));
      };
      await note(use().workflows.create(first));
      await note(use().workflows.create(aWorkflow({ tenant: first.tenant, id: "another" })));
      await note(use().workflows.update({ ...first, version: 2, revision: 2 }, 1));
      await note(use().workflows.update({ ...first, version: 2, revision: 3, status: "archived" }, 2));
      expect(new Set(stamps).size).toBe(5);
      await use().workflows.create(aWorkflow({ tenant: newTenant() }));
      await expect(use().workflows.update({ ...first, revision: 2 }, 1)).rejects.toMatchObject({ code: "VERSION_MISMATCH" });
      expect(await use().workflows.stamp(first.tenant)).toBe(stamps.at(-1));
    });

    test("an update based on another revision is a VERSION_MISMATCH and changes nothing", async () => {
      const first = aWorkflow({ tenant: newTenant() });
      await use().workflows.create(first);
      const second = { ...first, version: 2, revision: 2, definition: { ...first.definition, name: "lost" } };
      await expect(use().workflows.update(second, 7)).rejects.toMatchObject({ code: "VERSION_MISMATCH" });
      expect(await use().workflows.get(first.tenant, first.id)).toEqual(first);
      expect(await use().workflows.getVersion(first.tenant, first.id, 2)).toBeUndefined();
    });

    test("of twenty updates based on one revision exactly one is taken", async () => {
      const first = aWorkflow({ tenant: newTenant() });
      await use().workflows.create(first);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) => use().workflows.update({ ...first, revision: 2, updatedAt: at(index) }, 1)),
      );
      expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
      expect(refusalCodes(outcomes)).toEqual(Array.from({ length: 19 }, () => "VERSION_MISMATCH"));
    });

    test("getMany gives those that are there", async () => {
      const tenant = newTenant();
      for (const id of ["a", "b", "c"]) await use().workflows.create(aWorkflow({ tenant, id }));
      const found = await use().workflows.getMany(tenant, ["c", "missing", "a"]);
      expect(found.map((workflow) => workflow.id).toSorted()).toEqual(["a", "c"]);
      expect(await use().workflows.getMany(tenant, [])).toEqual([]);
    });

    test("pages come newest first, without repeat or gap, while workflows are added", async () => {
      const tenant = newTenant();
      for (let n = 0; n < 7; n += 1) await use().workflows.create(aWorkflow({ tenant, id: `w${n}`, createdAt: at(n < 4 ? n : 4) }));
      let late = 0;
      const all = await allPages(async (pageToken) => {
        const page = await use().workflows.list(tenant, { pageSize: 2, pageToken });
        late += 1;
        await use().workflows.create(aWorkflow({ tenant, id: `late${late}`, createdAt: at(1_000 + late) }));
        return page;
      });
      expect(all.map((workflow) => workflow.id).toSorted()).toEqual(["w0", "w1", "w2", "w3", "w4", "w5", "w6"]);
      expect(all.slice(-4).map((workflow) => workflow.id)).toEqual(["w3", "w2", "w1", "w0"]);
    });

    test("a list is filtered by status and by all of the tags", async () => {
      const tenant = newTenant();
      const tagged = (id: string, status: "active" | "draft", tags: string[]) => {
        const workflow = aWorkflow({ tenant, id, status });
        return use().workflows.create({ ...workflow, definition: { ...workflow.definition, tags } });
      };
      await tagged("both", "active", ["red", "round"]);
      await tagged("red", "active", ["red"]);
      await tagged("draft", "draft", ["red", "round"]);
      await tagged("none", "active", []);
      const ids = async (filter: { status?: "active" | "draft"; tags?: string[] }) =>
        (await use().workflows.list(tenant, { ...filter, pageSize: 10 })).items.map((workflow) => workflow.id).toSorted();
      expect(await ids({})).toEqual(["both", "draft", "none", "red"]);
      expect(await ids({ status: "draft" })).toEqual(["draft"]);
      expect(await ids({ tags: ["red"] })).toEqual(["both", "draft", "red"]);
      expect(await ids({ tags: ["round", "red"] })).toEqual(["both", "draft"]);
      expect(await ids({ status: "active", tags: ["round", "red"] })).toEqual(["both"]);
    });

    test("a page token that is none of ours is refused", async () => {
      await expect(use().workflows.list(newTenant(), { pageSize: 2, pageToken: "no token" })).rejects.toMatchObject({
        code: "INVALID_PAGE_TOKEN",
      });
    });
  });
}
