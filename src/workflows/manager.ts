import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { StepCatalog } from "../definition/check/step-catalog.ts";
import type { TriggerCatalog } from "../definition/check/trigger-catalog.ts";
import type { Page } from "../definition/page.ts";
import { statusOf, validateWorkflow } from "../definition/validate.ts";
import type { ExecutionStats, Workflow, WorkflowDefinition, WorkflowInput } from "../definition/workflow.ts";
import { notFound, SignalboxError, type Issue } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Store, WorkflowQuery } from "../ports/store.ts";

/** Attempts of an unguarded update that keeps losing against others; each is a read and a write. */
const MAX_ATTEMPTS = 8;

/** Definitions and their versions. */
export interface WorkflowManager {
  /** Every problem of the definition at once; none means it can be saved. */
  validate(raw: unknown): { valid: boolean; issues: Issue[]; definition: WorkflowDefinition | null };
  /** INVALID_DEFINITION with all issues; CONFLICT where the id is taken. */
  create(actor: { id: string; tenant: string }, input: WorkflowInput): Promise<Workflow>;
  /** A changed definition becomes the next version; executions keep theirs. `ifRevision` guards (VERSION_MISMATCH). */
  update(actor: { id: string; tenant: string }, id: string, input: WorkflowInput, ifRevision?: number): Promise<Workflow>;
  /** Archives: it starts nothing more; running executions go on, versions stay. */
  archive(actor: { id: string; tenant: string }, id: string, ifRevision?: number): Promise<Workflow>;
  get(tenant: string, id: string): Promise<Workflow>;
  getVersion(tenant: string, id: string, version: number): Promise<WorkflowDefinition>;
  getMany(tenant: string, ids: readonly string[]): Promise<Workflow[]>;
  list(tenant: string, query: WorkflowQuery): Promise<Page<Workflow>>;
  stats(tenant: string, ids: readonly string[]): Promise<Map<string, ExecutionStats & { lastExecuted: string | null }>>;
}

/** Told of every write of a workflow. */
export interface WorkflowWrites {
  /** What must outlive a crash between both is made durable here. A refusal keeps the workflow from being written. */
  before(workflow: Workflow): Promise<void>;
  after(workflow: Workflow): Promise<void>;
}

export interface WorkflowManagerOptions {
  store: Store;
  stepTypes: StepCatalog;
  /** Without it triggers may be of any type. */
  triggerTypes?: TriggerCatalog | undefined;
  writes?: WorkflowWrites | undefined;
  clock: Clock;
}

/** Checks definitions before they are saved and gives each change a version of its own. */
export function createWorkflowManager({ store, stepTypes, triggerTypes, writes, clock }: WorkflowManagerOptions): WorkflowManager {
  async function get(tenant: string, id: string): Promise<Workflow> {
    const workflow = await store.workflows.get(tenant, id);
    if (!workflow) throw notFound("workflow", id);
    return workflow;
  }

  async function written(workflow: Workflow, write: () => Promise<void>): Promise<void> {
    await writes?.before(workflow);
    await write();
    await writes?.after(workflow);
  }

  /** Reads, changes and writes until nobody was in between; with `ifRevision` the first one in between ends it. */
  async function change(
    tenant: string,
    id: string,
    ifRevision: number | undefined,
    changed: (present: Workflow) => Partial<Workflow>,
  ): Promise<Workflow> {
    for (let attempt = 1; ; attempt++) {
      const present = await get(tenant, id);
      if (ifRevision !== undefined && ifRevision !== present.revision) throw mismatch(present, ifRevision);
      const next = { ...present, ...changed(present) };
      if (isDeepStrictEqual(next, present)) return present;
      const workflow = { ...next, revision: present.revision + 1, updatedAt: isoTime(clock) };
      try {
        await written(workflow, () => store.workflows.update(workflow, present.revision));
        return workflow;
      } catch (error) {
        const isRaceLost = error instanceof SignalboxError && error.code === "VERSION_MISMATCH";
        if (!isRaceLost || ifRevision !== undefined || attempt >= MAX_ATTEMPTS) throw error;
      }
    }
  }

  return {
    validate(raw) {
      const { issues, definition } = validateWorkflow(raw, stepTypes, triggerTypes);
      return { valid: issues.length === 0, issues, definition };
    },

    async create({ tenant }, raw) {
      const { input, definition } = accepted(raw, stepTypes, triggerTypes);
      const status = statusOf(input) ?? "active";
      if (status === "archived")
        throw refused({ code: "INVALID_VALUE", pointer: "/status", message: "A new workflow is draft or active." });
      const now = isoTime(clock);
      const workflow: Workflow = {
        tenant,
        id: input.id ?? randomUUID(),
        version: 1,
        revision: 1,
        status,
        definition,
        createdAt: now,
        updatedAt: now,
      };
      await written(workflow, () => store.workflows.create(workflow));
      return workflow;
    },

    async update({ tenant }, id, raw, ifRevision) {
      const { input, definition } = accepted(raw, stepTypes, triggerTypes);
      if (input.id !== undefined && input.id !== id) {
        throw refused({
          code: "CONTRADICTION",
          pointer: "/id",
          message: `The workflow's id is "${id}" and stays so.`,
          hint: "Leave the id out, or create another workflow.",
        });
      }
      return change(tenant, id, ifRevision, (present) => {
        const status = statusOf(input, present.status) ?? present.status;
        const isSame = isDeepStrictEqual(definition, present.definition);
        return isSame ? { status } : { status, definition, version: present.version + 1 };
      });
    },

    archive: ({ tenant }, id, ifRevision) => change(tenant, id, ifRevision, () => ({ status: "archived" })),
    get,

    async getVersion(tenant, id, version) {
      const definition = await store.workflows.getVersion(tenant, id, version);
      if (!definition) throw notFound("workflow version", `${id}@${version}`);
      return definition;
    },

    getMany: (tenant, ids) => store.workflows.getMany(tenant, ids),
    list: (tenant, query) => store.workflows.list(tenant, query),
    stats: (tenant, ids) => store.executions.stats(tenant, ids),
  };
}

function accepted(
  raw: WorkflowInput,
  stepTypes: StepCatalog,
  triggerTypes?: TriggerCatalog,
): { input: WorkflowInput; definition: WorkflowDefinition } {
  const { issues, input, definition } = validateWorkflow(raw, stepTypes, triggerTypes);
  if (issues.length > 0 || !input || !definition) throw refused(...issues);
  return { input, definition };
}

/** A definition that is too large is that before it is anything else: its own status. */
function refused(...issues: Issue[]): SignalboxError {
  const [first] = issues;
  const more = issues.length > 1 ? ` There are ${issues.length} problems in all.` : "";
  const message = first && `${first.message}${more}`;
  return new SignalboxError(first?.code === "TOO_LARGE" ? "TOO_LARGE" : "INVALID_DEFINITION", message, { issues });
}

function mismatch(present: Workflow, ifRevision: number): SignalboxError {
  return new SignalboxError("VERSION_MISMATCH", `Workflow "${present.id}" is at revision ${present.revision}, not ${ifRevision}.`, {
    details: { revision: present.revision },
  });
}
