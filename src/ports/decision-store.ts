import type { Decision } from "../definition/decision.ts";
import type { Page } from "../definition/page.ts";

export interface DecisionStore {
  get(tenant: string, id: string): Promise<Decision | undefined>;
  list(tenant: string, filter: DecisionQuery): Promise<Page<Decision>>;
  /** All decisions of several executions in one round trip, oldest first. */
  listOf(tenant: string, executionIds: readonly string[]): Promise<Map<string, Decision[]>>;
}

export interface DecisionQuery {
  executionId?: string | undefined;
  workflowId?: string | undefined;
  stepId?: string | undefined;
  pageSize: number;
  pageToken?: string | undefined;
}
