import { z } from "zod";
import { SignalboxError } from "../../errors.ts";
import { LimitView, PlaceView } from "../views/limit.ts";
import { defineList } from "./operation.ts";

/** Limits and places told at most; more under way at once than anybody reads. */
const MOST = 500;

export const limits = defineList({
  name: "limits",
  summary: "List the limits under which executions run or wait",
  noun: "executions",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/limits",
  status: 200,
  input: z.strictObject({}),
  items: LimitView,
  pageName: "LimitPage",
  async handle({ services, principal }) {
    return { items: await services.executor.limits(principal.tenant, MOST) };
  },
});

export const limitLine = defineList({
  name: "limitLine",
  summary: "Tell who waits under a limit, whose turn is next first",
  noun: "executions",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/limits/line",
  status: 200,
  input: z.strictObject({ limit: z.string().min(1).max(300) }),
  items: PlaceView,
  pageName: "LinePage",
  errors: ["INVALID_INPUT"],
  async handle({ services, principal }, { limit }) {
    if (!limit.isWellFormed()) throw new SignalboxError("INVALID_INPUT", "The name of the limit is no text.");
    const { line } = await services.store.limits.look(principal.tenant, limit, MOST);
    return { items: line.map(({ executionId }, index) => ({ position: index + 1, executionId })) };
  },
});
