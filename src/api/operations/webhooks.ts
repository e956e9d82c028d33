import { z } from "zod";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { Cel } from "../../definition/step.ts";
import { WebhookAttempt, WebhookStatus } from "../../definition/webhook.ts";
import { DeliveryView, deliveryView, EndpointSecretView, endpointSecretView, EndpointView, endpointView } from "../views/webhook.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

const SecretRef = z
  .string()
  .regex(/^(env:SIGNALBOX_SECRET_[A-Z0-9_]{1,64}|file:[A-Za-z0-9][\w.-]{0,127})$/, "must be env:SIGNALBOX_SECRET_<NAME> or file:<name>")
  .describe("Where the secret is; made by the service unless told");
const fields = {
  description: z.string().max(500).optional(),
  eventTypes: z
    .array(z.string().min(1).max(255))
    .min(1)
    .max(50)
    .optional()
    .describe("Event types, `*` stands for any characters; all unless told"),
  workflowIds: z.array(PathId).min(1).max(100).nullable().optional().describe("Workflows; all unless told"),
  condition: Cel.nullable().optional().describe("CEL over `event`; what is not true is not sent"),
  enabled: z.boolean().optional(),
};
const Url = z.string().min(1).max(2_000).describe("http or https, to a public address or one the operator allows");
const common = { noun: "webhooks", status: 200, errors: ["NOT_FOUND"] } as const;
const read = { ...common, kind: "query", scope: "workflows:read" } as const;
const write = { ...common, kind: "mutation", scope: "workflows:write" } as const;

export const createWebhookEndpoint = defineOperation({
  ...write,
  name: "createWebhookEndpoint",
  summary: "Send events of executions to a URL, signed; the secret is in this answer and never shown again",
  route: "POST /api/v1/webhook-endpoints",
  status: 201,
  input: z.strictObject({ url: Url, secret: SecretRef.optional(), ...fields }),
  output: EndpointSecretView,
  errors: ["CONFLICT"],
  handle: async ({ services, principal }, input) => endpointSecretView(await services.webhooks.endpoints.create(principal.tenant, input)),
});

export const webhookEndpoints = defineList({
  ...read,
  name: "webhookEndpoints",
  summary: "List the webhook endpoints, newest first",
  route: "GET /api/v1/webhook-endpoints",
  input: z.strictObject({}),
  items: EndpointView,
  pageName: "WebhookEndpointPage",
  async handle({ services, principal }) {
    return { items: (await services.webhooks.endpoints.list(principal.tenant)).map(endpointView) };
  },
});

export const webhookEndpoint = defineOperation({
  ...read,
  name: "webhookEndpoint",
  summary: "Read a webhook endpoint",
  route: "GET /api/v1/webhook-endpoints/:id",
  input: z.strictObject({ id: PathId }),
  output: EndpointView,
  handle: async ({ services, principal }, { id }) => endpointView(await services.webhooks.endpoints.get(principal.tenant, id)),
});

export const updateWebhookEndpoint = defineOperation({
  ...write,
  name: "updateWebhookEndpoint",
  summary: "Change a webhook endpoint; what is not said stays",
  route: "PUT /api/v1/webhook-endpoints/:id",
  input: z.strictObject({ id: PathId, url: Url.optional(), ...fields }),
  output: EndpointView,
  handle: async ({ services, principal }, { id, ...input }) =>
    endpointView(await services.webhooks.endpoints.update(principal.tenant, id, input)),
});

export const deleteWebhookEndpoint = defineOperation({
  ...write,
  name: "deleteWebhookEndpoint",
  summary: "Delete a webhook endpoint; deliveries under way fail, the log stays",
  route: "DELETE /api/v1/webhook-endpoints/:id",
  input: z.strictObject({ id: PathId }),
  output: z.object({ id: z.string() }).meta({ id: "DeletedWebhookEndpoint" }),
  async handle({ services, principal }, { id }) {
    await services.webhooks.endpoints.remove(principal.tenant, id);
    return { id };
  },
});

export const rotateWebhookSecret = defineOperation({
  ...write,
  name: "rotateWebhookSecret",
  summary: "Give an endpoint a new secret; it signs beside the present one until the next rotation, or `dropOld`",
  route: "POST /api/v1/webhook-endpoints/:id/rotate",
  input: z.strictObject({ id: PathId, secret: SecretRef.optional(), dropOld: z.boolean().optional() }),
  output: EndpointSecretView,
  handle: async ({ services, principal }, { id, secret, dropOld = false }) =>
    endpointSecretView(await services.webhooks.endpoints.rotate(principal.tenant, id, { secret, dropOld })),
});

export const testWebhookEndpoint = defineOperation({
  ...write,
  name: "testWebhookEndpoint",
  summary: "Send one event of the type dev.signalbox.webhook.test now, and tell what came of it",
  route: "POST /api/v1/webhook-endpoints/:id/test",
  input: z.strictObject({ id: PathId }),
  output: WebhookAttempt,
  handle: ({ services, principal }, { id }) => services.webhooks.test(principal.tenant, id),
});

export const webhookDeliveries = defineList({
  ...read,
  name: "webhookDeliveries",
  summary: "List deliveries with what became of them, newest first",
  route: "GET /api/v1/webhook-deliveries",
  input: z.strictObject({ endpointId: PathId.optional(), status: WebhookStatus.optional(), ...PageRequest }),
  items: DeliveryView,
  pageName: "WebhookDeliveryPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { endpointId, status, pageSize = DEFAULT_PAGE_SIZE, pageToken }) {
    const page = await services.store.webhooks.deliveries(principal.tenant, { endpointId, status, pageSize, pageToken });
    return { ...page, items: page.items.map(deliveryView) };
  },
});

export const webhookDelivery = defineOperation({
  ...read,
  name: "webhookDelivery",
  summary: "Read a delivery",
  route: "GET /api/v1/webhook-deliveries/:id",
  input: z.strictObject({ id: PathId }),
  output: DeliveryView,
  handle: async ({ services, principal }, { id }) => deliveryView(await services.webhooks.delivery(principal.tenant, id)),
});

export const redeliverWebhook = defineOperation({
  ...write,
  name: "redeliverWebhook",
  summary: "Deliver once more, with the same id, whatever became of it",
  route: "POST /api/v1/webhook-deliveries/:id/redeliver",
  status: 202,
  input: z.strictObject({ id: PathId }),
  output: DeliveryView,
  errors: ["NOT_FOUND", "CONFLICT"],
  handle: async ({ services, principal }, { id }) => deliveryView(await services.webhooks.redeliver(principal.tenant, id)),
});

export const redeliverWebhooks = defineOperation({
  ...write,
  name: "redeliverWebhooks",
  summary: "Deliver an endpoint's failed deliveries once more, or those of another status; 1,000 at most",
  route: "POST /api/v1/webhook-endpoints/:id/redeliver",
  status: 202,
  input: z.strictObject({
    id: PathId,
    status: WebhookStatus.optional().describe("`failed` unless told"),
    since: z.iso.datetime({ offset: false }).optional().describe("Only those made since, UTC"),
    dryRun: z.boolean().optional().describe("true: only count"),
  }),
  output: z.object({ count: z.number().int() }).meta({ id: "RedeliveredWebhooks" }),
  async handle({ services, principal }, { id, status = "failed", since, dryRun = false }) {
    return { count: await services.webhooks.redeliverAll(principal.tenant, id, { status, since, dryRun }) };
  },
});
