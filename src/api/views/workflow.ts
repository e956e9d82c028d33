import { z } from "zod";
import type { Principal } from "../../definition/access.ts";
import { JsonRecord, JsonValue } from "../../definition/json.ts";
import { ErrorPolicy, Step } from "../../definition/step.ts";
import { Trigger } from "../../definition/trigger.ts";
import {
  ExecutionStats,
  Limits,
  Policy,
  Retention,
  Variable,
  WorkflowDefinition,
  WorkflowStatus,
  type Workflow,
} from "../../definition/workflow.ts";
import type { WorkflowManager } from "../../workflows/manager.ts";

const BareWorkflow = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  version: z.number().int().describe("Grows when the definition changes; executions keep the one they started with"),
  revision: z.number().int().describe("Grows with every write; the ETag"),
  status: WorkflowStatus,
  isActive: z.boolean().describe("status is active"),
  triggers: z.array(Trigger),
  trigger: Trigger.nullable().describe("The first of `triggers`"),
  steps: z.array(Step),
  variables: z.record(z.string(), Variable).describe("Defaults of secret variables are left out"),
  input: JsonRecord.nullable().describe("JSON Schema of the execution's input"),
  output: z.record(z.string(), JsonValue).nullable(),
  owner: z.string().nullable(),
  tags: z.array(z.string()),
  onError: ErrorPolicy.nullable(),
  policy: Policy.nullable(),
  limits: Limits.nullable(),
  retention: Retention.nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type BareWorkflow = z.infer<typeof BareWorkflow>;

/** A workflow as clients see it. */
export const WorkflowView = BareWorkflow.extend({ lastExecuted: z.string().nullable(), executionStats: ExecutionStats }).meta({
  id: "Workflow",
});
export type WorkflowView = z.infer<typeof WorkflowView>;

export const WorkflowVersionView = z
  .object({ id: z.string(), version: z.number().int(), definition: WorkflowDefinition })
  .meta({ id: "WorkflowVersion" });

const NO_STATS: ExecutionStats & { lastExecuted: string | null } = {
  total: 0,
  pending: 0,
  running: 0,
  paused: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  successRate: null,
  averageDurationMs: null,
  lastExecuted: null,
};

/** The view without what is counted over executions. */
export function bareWorkflow({ definition, tenant: _tenant, ...head }: Workflow): BareWorkflow {
  return {
    id: head.id,
    name: definition.name,
    description: definition.description ?? null,
    version: head.version,
    revision: head.revision,
    status: head.status,
    isActive: head.status === "active",
    triggers: definition.triggers,
    trigger: definition.triggers[0] ?? null,
    steps: definition.steps,
    variables: withoutSecretDefaults(definition.variables),
    input: definition.input ?? null,
    output: definition.output ?? null,
    owner: definition.owner ?? null,
    tags: definition.tags,
    onError: definition.onError ?? null,
    policy: definition.policy ?? null,
    limits: definition.limits ?? null,
    retention: definition.retention ?? null,
    createdAt: head.createdAt,
    updatedAt: head.updatedAt,
  };
}

/** The views with their counts, read in one round trip. */
export async function withStats(manager: WorkflowManager, principal: Principal, workflows: BareWorkflow[]): Promise<WorkflowView[]> {
  if (workflows.length === 0) return [];
  const stats = await workflowStats(
    manager,
    principal.tenant,
    workflows.map(({ id }) => id),
  );
  return workflows.map((workflow, index) => ({ ...workflow, ...(stats[index] ?? splitStats(NO_STATS)) }));
}

/** Counts and the last start of each workflow, in the order asked for. */
export async function workflowStats(
  manager: WorkflowManager,
  tenant: string,
  ids: readonly string[],
): Promise<{ executionStats: ExecutionStats; lastExecuted: string | null }[]> {
  const stats = await manager.stats(tenant, ids);
  return ids.map((id) => splitStats(stats.get(id) ?? NO_STATS));
}

function splitStats({ lastExecuted, ...executionStats }: ExecutionStats & { lastExecuted: string | null }) {
  return { executionStats, lastExecuted };
}

/** A definition without what nobody may read back. */
export function publicDefinition(definition: WorkflowDefinition): WorkflowDefinition {
  return { ...definition, variables: withoutSecretDefaults(definition.variables) };
}

/** Secret defaults are write-only: one that an update leaves out stays as it is, so that a client may send back what it read. */
export function keepSecretDefaults<T extends { variables: Record<string, Variable> }>(input: T, stored: WorkflowDefinition): T {
  const variables = Object.entries(input.variables).map(([name, variable]): [string, Variable] => {
    const before = Object.hasOwn(stored.variables, name) ? stored.variables[name] : undefined;
    const isKept = variable.secret && variable.default === undefined && before?.secret === true && before.default !== undefined;
    return [name, isKept ? { ...variable, default: before.default } : variable];
  });
  return { ...input, variables: Object.fromEntries(variables) };
}

function withoutSecretDefaults(variables: Record<string, Variable>): Record<string, Variable> {
  if (!Object.values(variables).some(({ secret }) => secret)) return variables;
  return Object.fromEntries(
    Object.entries(variables).map(([name, { default: given, ...variable }]) => [
      name,
      variable.secret || given === undefined ? variable : { ...variable, default: given },
    ]),
  );
}
