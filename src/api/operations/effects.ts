import { z } from "zod";
import { JsonValue, type JsonObject } from "../../definition/json.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import type { OpenWait } from "../../definition/wait.ts";
import { notFound } from "../../errors.ts";
import { kindOf } from "../views/approval.ts";
import { effectView, UnknownEffect } from "../views/effect.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

const SCAN_PAGE = 200;
/** Approvals looked through for one page; the token leads on. */
const MAX_SCANS = 10;

export const EffectFilter = z
  .strictObject({
    executionId: PathId.optional(),
    workflowId: PathId.optional(),
    settled: z.boolean().optional().describe("true: those somebody settled, instead of the unknown ones"),
  })
  .meta({ id: "EffectFilter" });

export const effects = defineList({
  name: "effects",
  summary: "List effects nobody knows the outcome of: a step with `effect: once` was cut off inside its call",
  noun: "approvals",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/effects",
  status: 200,
  input: z.strictObject({ filter: EffectFilter.optional(), ...PageRequest }),
  items: UnknownEffect,
  pageName: "EffectPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { filter: { settled = false, ...filter } = {}, pageSize = DEFAULT_PAGE_SIZE, pageToken }) {
    // They stand in the inbox of approvals, where people look; there are few of them among many.
    const found: OpenWait[] = [];
    let next = pageToken;
    for (let scans = 0; scans < MAX_SCANS; scans++) {
      const size = Math.max(1, Math.min(SCAN_PAGE, pageSize - found.length));
      const query = { ...filter, kind: "approval" as const, status: settled ? ("answered" as const) : ("open" as const) };
      const page = await services.executor.waits(principal.tenant, { ...query, pageSize: size, pageToken: next });
      found.push(...page.items.filter(({ request }) => kindOf(request) === "effect"));
      next = page.nextPageToken;
      if (next === undefined || found.length >= pageSize) break;
    }
    return { items: found.map(effectView), ...(next !== undefined && { nextPageToken: next }) };
  },
});

export const settleEffect = defineOperation({
  name: "settleEffect",
  summary: "Say what became of an effect: it happened, with this output; try again, with the same key; or give up",
  noun: "approvals",
  kind: "mutation",
  scope: "approvals:decide",
  route: "POST /api/v1/effects/:id/settle",
  status: 200,
  input: z.strictObject({
    id: PathId,
    outcome: z
      .enum(["happened", "retry", "fail"])
      .meta({ id: "EffectOutcome" })
      .describe("happened: the step is done, with `output`; retry: it is called again; fail: the step fails with EFFECT_UNKNOWN"),
    output: JsonValue.optional().describe("Output of the step where it happened; null unless told"),
    reason: z.string().max(4_000).optional(),
  }),
  output: UnknownEffect,
  errors: ["NOT_FOUND", "ALREADY_DECIDED"],
  async handle({ services, principal }, { id, outcome, output, reason }) {
    const wait = await services.executor.wait(principal.tenant, id);
    if (wait.kind !== "approval" || kindOf(wait.request) !== "effect") throw notFound("effect", id);
    const said: JsonObject = { decision: outcome, ...(reason !== undefined && { reason }) };
    const given = outcome === "happened" && output !== undefined ? { ...said, values: output } : said;
    return effectView(await services.executor.answer(principal, id, given));
  },
});
