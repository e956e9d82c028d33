import type { Page } from "../definition/page.ts";
import type { ExecutionStats, Workflow, WorkflowDefinition, WorkflowInput } from "../definition/workflow.ts";
import type { Issue } from "../errors.ts";
import type { WorkflowQuery } from "../ports/store.ts";

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
