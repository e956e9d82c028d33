import { z } from "zod";
import { JsonRecord, type JsonObject } from "../../definition/json.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { Approval, ApprovalStatus, type OpenWait } from "../../definition/wait.ts";
import { notFound } from "../../errors.ts";
import { approvalView, WAIT_STATUS } from "../views/approval.ts";
import { defineList, defineOperation, PathId, type CallContext } from "./operation.ts";

export const ApprovalFilter = z
  .strictObject({ status: ApprovalStatus.optional(), executionId: PathId.optional(), workflowId: PathId.optional() })
  .meta({ id: "ApprovalFilter" });

export const ApprovalDecisionInput = z
  .strictObject({
    decision: z.string().min(1).max(64).describe("One of the approval's `choices`"),
    reason: z.string().max(4_000).optional(),
    values: JsonRecord.optional().describe("Fits the approval's `form`"),
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
  async handle({ services, principal }, { filter: { status, ...filter } = {}, pageSize, pageToken }) {
    const page = await services.executor.waits(principal.tenant, {
      ...filter,
      kind: "approval",
      status: status && WAIT_STATUS[status],
      pageSize: pageSize ?? DEFAULT_PAGE_SIZE,
      pageToken,
    });
    const items = page.items.map(approvalView).filter((approval) => status === undefined || approval.status === status);
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
  summary: "Answer an approval; the first answer counts",
  noun: "approvals",
  kind: "mutation",
  scope: "approvals:decide",
  route: "POST /api/v1/approvals/:id/decide",
  status: 200,
  input: z.strictObject({ id: PathId, input: ApprovalDecisionInput }),
  output: Approval,
  errors: ["NOT_FOUND", "ALREADY_DECIDED"],
  async handle(context, { id, input }) {
    await approvalWait(context, id);
    const { decision, reason, values } = input;
    const data: JsonObject = { decision, ...(reason === undefined ? {} : { reason }), ...(values === undefined ? {} : { values }) };
    return approvalView(await context.services.executor.answer(context.principal, id, data));
  },
});

async function approvalWait({ services, principal }: CallContext, id: string): Promise<OpenWait> {
  const wait = await services.executor.wait(principal.tenant, id);
  if (wait.kind !== "approval") throw notFound("approval", id);
  return wait;
}
