import { z } from "zod";
import { JsonValue } from "../../definition/json.ts";
import { PageRequest, DEFAULT_PAGE_SIZE } from "../../definition/page.ts";
import { WorkflowDefinition, WorkflowInput, WorkflowStatus } from "../../definition/workflow.ts";
import {
  bareWorkflow,
  keepSecretDefaults,
  publicDefinition,
  withStats,
  WorkflowVersionView,
  WorkflowView,
  type BareWorkflow,
} from "../views/workflow.ts";
import { defineList, defineOperation, PathId, type CallContext, type HeaderField } from "./operation.ts";
import { ifMatchRevision } from "./if-match.ts";

const IF_MATCH = {
  ifMatch: { header: "if-match", description: "ETag of the workflow this write is based on; `*` for any" },
} as const satisfies Record<string, HeaderField>;
const IfMatch = z.string().max(255).optional().describe('ETag of the workflow this write is based on, `"<revision>"`');
const expand = ({ services, principal }: CallContext, workflows: BareWorkflow[]) => withStats(services.workflows, principal, workflows);
const etag = (workflow: { revision: number }) => ({ etag: `"${workflow.revision}"` });

export const WorkflowFilter = z
  .strictObject({
    status: WorkflowStatus.optional(),
    tags: z.array(z.string().min(1).max(64)).max(10).optional().describe("A workflow must carry all of them"),
  })
  .meta({ id: "WorkflowFilter" });

export const createWorkflow = defineOperation({
  name: "createWorkflow",
  summary: "Create a workflow",
  noun: "workflows",
  kind: "mutation",
  scope: "workflows:write",
  route: "POST /api/v1/workflows",
  status: 201,
  input: z.strictObject({ input: WorkflowInput }),
  output: WorkflowView,
  errors: ["INVALID_DEFINITION", "CONFLICT"],
  handle: async ({ services, principal }, { input }) => bareWorkflow(await services.workflows.create(principal, input)),
  expand,
  reply: (workflow) => ({ headers: { location: `/api/v1/workflows/${encodeURIComponent(workflow.id)}`, ...etag(workflow) } }),
});

export const workflows = defineList({
  name: "workflows",
  summary: "List workflows, newest first",
  noun: "workflows",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/workflows",
  status: 200,
  input: z.strictObject({ filter: WorkflowFilter.optional(), ...PageRequest }),
  items: WorkflowView,
  pageName: "WorkflowPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { filter, pageSize, pageToken }) {
    const page = await services.workflows.list(principal.tenant, { ...filter, pageSize: pageSize ?? DEFAULT_PAGE_SIZE, pageToken });
    return { ...page, items: page.items.map(bareWorkflow) };
  },
  expand,
});

export const workflow = defineOperation({
  name: "workflow",
  summary: "Read a workflow",
  noun: "workflows",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/workflows/:id",
  status: 200,
  input: z.strictObject({ id: PathId }),
  output: WorkflowView,
  errors: ["NOT_FOUND"],
  handle: async ({ services, principal }, { id }) => bareWorkflow(await services.workflows.get(principal.tenant, id)),
  expand,
  reply: (found) => ({ headers: etag(found) }),
});

export const updateWorkflow = defineOperation({
  name: "updateWorkflow",
  summary: "Replace a workflow's definition; a change of it becomes the next version",
  noun: "workflows",
  kind: "mutation",
  scope: "workflows:write",
  route: "PUT /api/v1/workflows/:id",
  status: 200,
  input: z.strictObject({ id: PathId, input: WorkflowInput, ifMatch: IfMatch }),
  output: WorkflowView,
  headers: IF_MATCH,
  errors: ["NOT_FOUND", "INVALID_DEFINITION", "VERSION_MISMATCH"],
  async handle({ services, principal }, { id, input, ifMatch }) {
    const revision = ifMatchRevision(ifMatch);
    const hasSecrets = Object.values(input.variables).some(({ secret }) => secret);
    const kept = hasSecrets ? keepSecretDefaults(input, (await services.workflows.get(principal.tenant, id)).definition) : input;
    return bareWorkflow(await services.workflows.update(principal, id, kept, revision));
  },
  expand,
  reply: (updated) => ({ headers: etag(updated) }),
});

export const deleteWorkflow = defineOperation({
  name: "deleteWorkflow",
  summary: "Archive a workflow: it starts nothing more, running executions go on, its versions stay readable",
  noun: "workflows",
  kind: "mutation",
  scope: "workflows:write",
  route: "DELETE /api/v1/workflows/:id",
  status: 200,
  input: z.strictObject({ id: PathId, ifMatch: IfMatch }),
  output: WorkflowView,
  headers: IF_MATCH,
  errors: ["NOT_FOUND", "VERSION_MISMATCH"],
  handle: async ({ services, principal }, { id, ifMatch }) =>
    bareWorkflow(await services.workflows.archive(principal, id, ifMatchRevision(ifMatch))),
  expand,
  reply: (archived) => ({ headers: etag(archived) }),
});

export const workflowVersion = defineOperation({
  name: "workflowVersion",
  summary: "Read one version of a workflow's definition; versions never change",
  noun: "workflows",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/workflows/:id/versions/:version",
  status: 200,
  input: z.strictObject({ id: PathId, version: z.number().int().min(1) }),
  output: WorkflowVersionView,
  errors: ["NOT_FOUND"],
  handle: async ({ services, principal }, { id, version }) => ({
    id,
    version,
    definition: publicDefinition(await services.workflows.getVersion(principal.tenant, id, version)),
  }),
});

const Issue = z.object({ code: z.string(), pointer: z.string(), message: z.string(), hint: z.string().optional() }).meta({ id: "Issue" });

export const validateWorkflow = defineOperation({
  name: "validateWorkflow",
  summary: "Check a definition without saving it: every problem at once",
  noun: "workflows",
  kind: "query",
  scope: "workflows:read",
  route: "POST /api/v1/workflows/validate",
  status: 200,
  input: z.strictObject({ input: JsonValue }),
  output: z
    .object({
      valid: z.boolean(),
      issues: z.array(Issue),
      definition: WorkflowDefinition.nullable().describe("The canonical form, null where there is none"),
    })
    .meta({ id: "ValidationReport" }),
  async handle({ services }, { input }) {
    return services.workflows.validate(input);
  },
});
