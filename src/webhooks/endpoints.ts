import { randomUUID } from "node:crypto";
import { parseExpression } from "../definition/expression.ts";
import type { WebhookEndpoint } from "../definition/webhook.ts";
import { notFound, SignalboxError, type Issue } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { WebhookStore } from "../ports/webhook-store.ts";
import type { EndpointSecrets } from "./endpoint-secrets.ts";

/** Endpoints of one tenant. */
const MAX_ENDPOINTS = 50;
const MAX_ATTEMPTS = 5;

/** What people say of an endpoint. */
export interface EndpointInput {
  url?: string | undefined;
  description?: string | undefined;
  eventTypes?: string[] | undefined;
  workflowIds?: string[] | null | undefined;
  condition?: string | null | undefined;
  enabled?: boolean | undefined;
}

/** An endpoint, with its secret where that was made just now: it is never shown again. */
export interface WithSecret {
  endpoint: WebhookEndpoint;
  secret: string | null;
}

export interface Endpoints {
  /** INVALID_INPUT, LIMIT_EXCEEDED. The secret is made here unless a reference is given. */
  create(tenant: string, input: EndpointInput & { url: string; secret?: string | undefined }): Promise<WithSecret>;
  update(tenant: string, id: string, input: EndpointInput): Promise<WebhookEndpoint>;
  /** A new secret that signs beside the present one, or instead of all others with `dropOld`. */
  rotate(tenant: string, id: string, options: { secret?: string | undefined; dropOld: boolean }): Promise<WithSecret>;
  get(tenant: string, id: string): Promise<WebhookEndpoint>;
  list(tenant: string): Promise<WebhookEndpoint[]>;
  remove(tenant: string, id: string): Promise<void>;
  /** Changes an endpoint as it is now; undefined from `change` leaves it. */
  change(tenant: string, id: string, change: (endpoint: WebhookEndpoint) => Partial<WebhookEndpoint> | undefined): Promise<WebhookEndpoint>;
}

interface EndpointsOptions {
  store: WebhookStore;
  clock: Clock;
  secrets: Pick<EndpointSecrets, "make">;
  /** Told of every write of this process. */
  onChange(tenant: string): void;
}

export function createEndpoints({ store, clock, secrets: made, onChange }: EndpointsOptions): Endpoints {
  const at = (): string => new Date(clock.now()).toISOString();

  async function get(tenant: string, id: string): Promise<WebhookEndpoint> {
    const found = await store.endpoint(tenant, id);
    if (!found) throw notFound("webhook endpoint", id);
    return found;
  }

  const change: Endpoints["change"] = async (tenant, id, changed) => {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const present = await get(tenant, id);
      const fields = changed(present);
      if (!fields) return present;
      const next = { ...present, ...fields, revision: present.revision + 1, updatedAt: at() };
      if (await store.putEndpoint(next, present.revision)) {
        onChange(tenant);
        return next;
      }
    }
    throw new SignalboxError("CONFLICT", "Others keep writing this endpoint.");
  };

  return {
    get,
    change,
    list: (tenant) => store.endpoints(tenant),
    async create(tenant, { secret: reference, ...input }) {
      check(input);
      if ((await store.endpoints(tenant)).length >= MAX_ENDPOINTS) {
        throw new SignalboxError("CONFLICT", `A tenant has ${MAX_ENDPOINTS} webhook endpoints at most.`);
      }
      const { stored, shown } = reference === undefined ? made.make() : { stored: reference, shown: null };
      const now = at();
      const endpoint: WebhookEndpoint = {
        id: randomUUID(),
        tenant,
        url: input.url,
        description: input.description ?? "",
        eventTypes: input.eventTypes ?? ["*"],
        workflowIds: input.workflowIds ?? null,
        condition: input.condition ?? null,
        enabled: input.enabled ?? true,
        disabledReason: null,
        secrets: [stored],
        failingSince: null,
        revision: 1,
        createdAt: now,
        updatedAt: now,
      };
      await store.putEndpoint(endpoint, null);
      onChange(tenant);
      return { endpoint, secret: shown };
    },
    async update(tenant, id, input) {
      check(input);
      const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as Partial<WebhookEndpoint>; // fields of one
      // Whoever enables it again says that it works.
      const fresh = input.enabled === true ? { disabledReason: null, failingSince: null } : {};
      return await change(tenant, id, () => ({ ...given, ...fresh }));
    },
    async rotate(tenant, id, { secret: reference, dropOld }) {
      const { stored, shown } = reference === undefined ? made.make() : { stored: reference, shown: null };
      const endpoint = await change(tenant, id, ({ secrets }) => ({ secrets: dropOld ? [stored] : [stored, ...secrets.slice(0, 1)] }));
      return { endpoint, secret: shown };
    },
    async remove(tenant, id) {
      if (!(await store.removeEndpoint(tenant, id))) throw notFound("webhook endpoint", id);
      onChange(tenant);
    },
  };
}

function check({ url, condition }: EndpointInput): void {
  const issues: Issue[] = [];
  if (url !== undefined) {
    const parsed = URL.parse(url);
    if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username !== "" || parsed.password !== "")
      issues.push({ code: "INVALID_URL", pointer: "/url", message: "must be http or https, with a host and no user name" });
  }
  if (typeof condition === "string") {
    try {
      parseExpression(condition);
    } catch (error) {
      issues.push({ code: "INVALID_EXPRESSION", pointer: "/condition", message: error instanceof Error ? error.message : "is no CEL" });
    }
  }
  if (issues.length > 0) throw new SignalboxError("INVALID_INPUT", issues[0]?.message, { issues });
}
