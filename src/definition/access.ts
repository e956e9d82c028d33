/** Who acts. The tenant comes from the credentials only, never from a body or a path. */
export interface Principal {
  id: string;
  tenant: string;
  scopes: ReadonlySet<Scope> | "all";
  /** What it belongs to, as `group:<name>` and `role:<name>`: who is asked for an approval may be named by it. */
  groups?: ReadonlySet<string> | "all" | undefined;
}

export const SCOPES = [
  "workflows:read",
  "workflows:write",
  "executions:read",
  "executions:write",
  "approvals:decide",
  "events:publish",
  "tasks:work",
  "admin",
] as const;
export type Scope = (typeof SCOPES)[number];

/** The principal of `SIGNALBOX_AUTH=none`: everything, in the tenant "default". */
export const LOCAL_PRINCIPAL: Principal = { id: "local", tenant: "default", scopes: "all", groups: "all" };

export function mayDo(principal: Principal, scope: Scope): boolean {
  return principal.scopes === "all" || principal.scopes.has(scope);
}
