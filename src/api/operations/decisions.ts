import { z } from "zod";
import { Decision } from "../../definition/decision.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { notFound } from "../../errors.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

export const DecisionFilter = z
  .strictObject({ executionId: PathId.optional(), workflowId: PathId.optional(), stepId: PathId.optional() })
  .meta({ id: "DecisionFilter" });

export const decisions = defineList({
  name: "decisions",
  summary: "List recorded decisions, newest first",
  noun: "decisions",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/decisions",
  status: 200,
  input: z.strictObject({ filter: DecisionFilter.optional(), ...PageRequest }),
  items: Decision,
  pageName: "DecisionPage",
  errors: ["INVALID_PAGE_TOKEN"],
  handle: ({ services, principal }, { filter, pageSize, pageToken }) =>
    services.store.decisions.list(principal.tenant, { ...filter, pageSize: pageSize ?? DEFAULT_PAGE_SIZE, pageToken }),
});

export const decision = defineOperation({
  name: "decision",
  summary: "Read a recorded decision",
  noun: "decisions",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/decisions/:id",
  status: 200,
  input: z.strictObject({ id: PathId }),
  output: Decision,
  errors: ["NOT_FOUND"],
  async handle({ services, principal }, { id }) {
    const found = await services.store.decisions.get(principal.tenant, id);
    if (!found) throw notFound("decision", id);
    return found;
  },
});
