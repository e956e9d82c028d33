import { z } from "zod";
import { TenantId } from "./credentials.ts";

const TenantLimits = z.strictObject({
  concurrency: z.number().int().min(1).max(1_000).optional(),
  startsPerSecond: z.number().positive().max(100_000).optional(),
});
type TenantLimits = z.infer<typeof TenantLimits>;

/** Bounds of tenants by their names; `*` for those that are not named. */
export const TenantsLimits = z.record(z.union([z.literal("*"), TenantId]), TenantLimits);
type TenantsLimits = z.infer<typeof TenantsLimits>;

/** What a tenant may do: its own row, where it has one, as it is. */
export function tenantBounds(limits: TenantsLimits = {}) {
  const of = (tenant: string): TenantLimits => limits[tenant] ?? limits["*"] ?? {};
  return {
    tenantMax: (tenant: string) => of(tenant).concurrency,
    startsPerSecond: (tenant: string) => of(tenant).startsPerSecond,
  };
}
