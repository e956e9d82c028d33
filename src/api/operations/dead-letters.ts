import { z } from "zod";
import { DeadLetter, RetryEdit } from "../../definition/dead-letter.ts";
import { RetryMode } from "../../definition/execution.ts";
import { JsonValue } from "../../definition/json.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { forDeadLetters } from "../../executor/dead-letters.ts";
import { deadLetterView } from "../views/dead-letter.ts";
import { defineList, defineOperation, PathId, type CallContext } from "./operation.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

const Instant = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text).toISOString())
  .meta({ type: "string", format: "date-time" });
const narrowing = {
  workflowId: PathId.optional(),
  errorCode: z.string().min(1).max(64).optional().describe("Code of the error it failed with"),
  stepId: PathId.optional().describe("The step that is to blame"),
  failedAfter: Instant.optional(),
  failedBefore: Instant.optional(),
};

export const DeadLetterFilter = z
  .strictObject({ ...narrowing, dismissed: z.boolean().optional().describe("true: those somebody dismissed, instead of the open ones") })
  .meta({ id: "DeadLetterFilter" });

const BulkFilter = z.strictObject(narrowing).meta({ id: "DeadLetterBulkFilter" });

const BulkOutcome = z
  .object({
    matched: z.array(z.string()).describe("Executions the filter found"),
    done: z.array(z.string()).describe("Those that it was done to; none in a dry run"),
    refused: z.array(z.object({ executionId: z.string(), code: z.string(), message: z.string() }).meta({ id: "BulkRefusal" })),
    hasMore: z.boolean().describe("The filter finds more than `limit`"),
  })
  .meta({ id: "BulkOutcome" });

const bulk = {
  where: BulkFilter.describe("Which; all of them where it is empty"),
  limit: z.number().int().min(1).max(MAX_LIMIT).optional().describe(`At most this many; ${DEFAULT_LIMIT} unless told`),
  dryRun: z.boolean().optional().describe("true: tells what it would be done to, and does nothing"),
};

export const deadLetters = defineList({
  name: "deadLetters",
  summary: "List failed executions, and those a failure paused, newest first: what somebody is to look at",
  noun: "executions",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/dead-letters",
  status: 200,
  input: z.strictObject({ filter: DeadLetterFilter.optional(), ...PageRequest }),
  items: DeadLetter,
  pageName: "DeadLetterPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { filter: { dismissed = false, ...filter } = {}, pageSize, pageToken }) {
    const query = { ...filter, isDismissed: dismissed, pageSize: pageSize ?? DEFAULT_PAGE_SIZE, pageToken };
    const page = await services.store.executions.deadLetters(principal.tenant, query);
    return { ...page, items: page.items.map(deadLetterView) };
  },
});

export const retryDeadLetters = defineOperation({
  name: "retryDeadLetters",
  summary: "Go on with every failed execution that a filter finds, as retryExecution does with one",
  noun: "executions",
  kind: "mutation",
  scope: "executions:write",
  route: "POST /api/v1/dead-letters/retry",
  status: 200,
  input: z.strictObject({
    ...bulk,
    mode: RetryMode.optional().describe("retry unless told"),
    output: JsonValue.optional().describe("Output of the skipped steps"),
    edit: RetryEdit.optional().describe("With the mode edit: what is changed first"),
  }),
  output: BulkOutcome,
  handle: (context, { mode = "retry", output = null, edit, ...which }) =>
    forEach(context, which, (executionId) =>
      context.services.executor.retry(context.principal, executionId, { mode, output, edit, isAwaited: false }),
    ),
});

export const dismissDeadLetters = defineOperation({
  name: "dismissDeadLetters",
  summary: "Say of every failed execution that a filter finds that nothing is to be done",
  noun: "executions",
  kind: "mutation",
  scope: "executions:write",
  route: "POST /api/v1/dead-letters/dismiss",
  status: 200,
  input: z.strictObject({ ...bulk, note: z.string().max(1_000).optional().describe("Kept in the history") }),
  output: BulkOutcome,
  handle: (context, { note = null, ...which }) =>
    forEach(context, which, (executionId) => context.services.executor.dismiss(context.principal, executionId, { note, isAwaited: false })),
});

interface Which {
  where: z.output<typeof BulkFilter>;
  limit?: number | undefined;
  dryRun?: boolean | undefined;
}

async function forEach({ services, principal }: CallContext, which: Which, act: (executionId: string) => Promise<unknown>) {
  const { where: filter, limit = DEFAULT_LIMIT, dryRun = false } = which;
  return await forDeadLetters({ store: services.store, tenant: principal.tenant, filter, limit, dryRun, act: ({ id }) => act(id) });
}
