import { z } from "zod";
import type { Principal } from "../../definition/access.ts";
import { JsonRecord, JsonValue, type JsonObject } from "../../definition/json.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { ballotOf, refusalOf, standingVotes } from "../../definition/voting.ts";
import { Approval, ApprovalKind, ApprovalStatus, type OpenWait } from "../../definition/wait.ts";
import { notFound } from "../../errors.ts";
import { approvalView, kindOf, WAIT_STATUS } from "../views/approval.ts";
import { defineList, defineOperation, PathId, type CallContext } from "./operation.ts";

export const ApprovalFilter = z
  .strictObject({
    status: ApprovalStatus.optional(),
    executionId: PathId.optional(),
    workflowId: PathId.optional(),
    kind: ApprovalKind.optional(),
    mine: z.boolean().optional().describe("true: those the caller may vote on now"),
  })
  .meta({ id: "ApprovalFilter" });

export const ApprovalDecisionInput = z
  .strictObject({
    decision: z.string().min(1).max(64).describe("One of the approval's `choices`"),
    reason: z.string().max(4_000).optional(),
    values: JsonRecord.optional().describe("Fits the approval's `form`"),
    value: JsonValue.optional().describe("An edited value instead of the proposed one, with an approval; fits the approval's `editable`"),
    proposal: z.number().int().min(0).optional().describe("The proposal this is about; required once the value was edited"),
  })
  .meta({ id: "ApprovalDecisionInput" });

export const approvals = defineList({
  name: "approvals",
  summary: "List approvals, newest first; a page may hold fewer than asked for",
  noun: "approvals",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/approvals",
  status: 200,
  input: z.strictObject({ filter: ApprovalFilter.optional(), ...PageRequest }),
  items: Approval,
  pageName: "ApprovalPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { filter: { status, kind, mine, ...filter } = {}, pageSize, pageToken }) {
    const page = await services.executor.waits(principal.tenant, {
      ...filter,
      kind: "approval",
      status: mine ? "open" : status && WAIT_STATUS[status],
      pageSize: pageSize ?? DEFAULT_PAGE_SIZE,
      pageToken,
    });
    const wanted = page.items.filter(
      (wait) => (kind === undefined || kindOf(wait.request) === kind) && (!mine || mayVote(wait, principal)),
    );
    const items = wanted.map(approvalView).filter((approval) => status === undefined || approval.status === status);
    return { ...page, items };
  },
});

export const approval = defineOperation({
  name: "approval",
  summary: "Read an approval",
  noun: "approvals",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/approvals/:id",
  status: 200,
  input: z.strictObject({ id: PathId }),
  output: Approval,
  errors: ["NOT_FOUND"],
  handle: async (context, { id }) => approvalView(await approvalWait(context, id)),
});

export const decideApproval = defineOperation({
  name: "decideApproval",
  summary: "Vote on an approval; the vote that meets the quorum, or the rejections it takes, decides",
  noun: "approvals",
  kind: "mutation",
  scope: "approvals:decide",
  route: "POST /api/v1/approvals/:id/decide",
  status: 200,
  input: z.strictObject({ id: PathId, input: ApprovalDecisionInput }),
  output: Approval,
  errors: ["NOT_FOUND", "FORBIDDEN", "ALREADY_VOTED", "ALREADY_DECIDED", "VERSION_MISMATCH"],
  async handle(context, { id, input }) {
    await approvalWait(context, id);
    const given = Object.entries(input).filter(([, value]) => value !== undefined);
    const data = Object.fromEntries(given) as JsonObject; // parsed as JSON just now
    return approvalView(await context.services.executor.answer(context.principal, id, data));
  },
});

/** Votes are looked at as well: who voted has nothing to do any more, unless the value was edited since. */
function mayVote({ request, votes = [] }: OpenWait, principal: Principal): boolean {
  const ballot = ballotOf(request);
  const hasVoted = standingVotes(ballot, votes).some(({ by }) => by === principal.id);
  return refusalOf(ballot, principal) === undefined && !hasVoted;
}

async function approvalWait({ services, principal }: CallContext, id: string): Promise<OpenWait> {
  const wait = await services.executor.wait(principal.tenant, id);
  if (wait.kind !== "approval") throw notFound("approval", id);
  return wait;
}
