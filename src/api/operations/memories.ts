import { z } from "zod";
import { Memory } from "../../definition/memory.ts";
import { notFound } from "../../errors.ts";
import { defineOperation, PathId } from "./operation.ts";

export const memory = defineOperation({
  name: "memory",
  summary: "Read what prompts and agents remember under a key",
  noun: "memories",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/memories/:key",
  status: 200,
  input: z.strictObject({ key: PathId }),
  output: Memory,
  errors: ["NOT_FOUND"],
  async handle({ services, principal }, { key }) {
    const found = await services.store.memories.get(principal.tenant, key);
    if (!found) throw notFound("memory", key);
    return found;
  },
});

export const forgetMemory = defineOperation({
  name: "forgetMemory",
  summary: "Forget what is remembered under a key",
  noun: "memories",
  kind: "mutation",
  scope: "executions:write",
  route: "DELETE /api/v1/memories/:key",
  status: 200,
  input: z.strictObject({ key: PathId }),
  output: z.object({ key: z.string(), forgotten: z.boolean().describe("False where there was nothing") }).meta({ id: "ForgottenMemory" }),
  errors: [],
  handle: async ({ services, principal }, { key }) => ({ key, forgotten: await services.store.memories.delete(principal.tenant, key) }),
});
