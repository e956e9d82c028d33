import { z } from "zod";
import { SCOPES } from "../../definition/access.ts";
import { defineOperation } from "./operation.ts";

export const me = defineOperation({
  name: "me",
  summary: "Tell who calls and what they may do",
  noun: "system",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/me",
  status: 200,
  input: z.strictObject({}),
  output: z.object({ id: z.string(), tenant: z.string(), scopes: z.array(z.string()) }).meta({ id: "Principal" }),
  async handle({ principal }) {
    return { id: principal.id, tenant: principal.tenant, scopes: principal.scopes === "all" ? [...SCOPES] : [...principal.scopes] };
  },
});
