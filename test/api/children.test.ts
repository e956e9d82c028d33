import { expect, test } from "vitest";
import type { ExecutionView } from "../../src/api/views/execution.ts";
import { startApi } from "./support.ts";

const CHILD = { id: "child", name: "Child", steps: [{ id: "end", type: "end" }] };
const PARENT = {
  id: "parent",
  name: "Parent",
  steps: [
    { id: "one", type: "workflow", config: { workflowId: "child" }, nextSteps: ["two"] },
    { id: "two", type: "workflow", config: { workflowId: "child" } },
  ],
};

test("a parent and its children know of one another on REST and GraphQL", async () => {
  await using api = await startApi();
  for (const body of [CHILD, PARENT]) await api.call("POST /api/v1/workflows", { body });
  const { id, parent } = await api.execute("parent");
  expect(parent).toBeNull();
  const { body } = await api.call<{ items: ExecutionView[] }>(`GET /api/v1/executions?parent_id=${id}&status=COMPLETED`);
  expect(body.items.map((child) => child.parent)).toEqual([
    { executionId: id, stepId: "two", depth: 1 },
    { executionId: id, stepId: "one", depth: 1 },
  ]);
  const { data, errors } = await api.graphql(
    "query ($id: ID!) { execution(id: $id) { children { workflowId parent { executionId stepId } } newest: children(limit: 1) { parent { stepId } } } }",
    { id },
  );
  expect(errors).toEqual([]);
  expect(data).toEqual({
    execution: {
      children: ["two", "one"].map((stepId) => ({ workflowId: "child", parent: { executionId: id, stepId } })),
      newest: [{ parent: { stepId: "two" } }],
    },
  });
});
