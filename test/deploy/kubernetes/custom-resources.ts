import { z } from "zod";

const Labels = z.record(z.string(), z.string());
const Selector = z.strictObject({ matchLabels: Labels });
const Seconds = z.string().regex(/^\d+[smh]$/);
const ServiceReference = z.strictObject({ group: z.literal(""), kind: z.literal("Service"), name: z.string() });

/**
 * The fields of custom resources that these manifests may use, after their published API references (prometheus-engine
 * `doc/api.md`, Gateway API v1, GKE's policies); no schema package knows them. Anything else is refused until it is added here.
 */
export const CUSTOM_RESOURCES: Record<string, z.ZodType> = {
  "monitoring.googleapis.com/v1 PodMonitoring": z.strictObject({
    spec: z.strictObject({
      selector: Selector,
      endpoints: z
        .array(
          z.strictObject({
            port: z.union([z.string(), z.number()]),
            path: z.string().optional(),
            interval: Seconds,
            timeout: Seconds.optional(),
          }),
        )
        .min(1),
      targetLabels: z
        .strictObject({
          metadata: z.array(z.enum(["pod", "container", "node"])).optional(),
          fromPod: z.array(z.strictObject({ from: z.string(), to: z.string().optional() })).optional(),
        })
        .optional(),
    }),
  }),
  "monitoring.googleapis.com/v1 Rules": z.strictObject({
    spec: z.strictObject({
      groups: z.array(
        z.strictObject({
          name: z.string(),
          interval: Seconds,
          rules: z
            .array(
              z.strictObject({
                alert: z.string(),
                expr: z.string(),
                for: Seconds.optional(),
                labels: Labels.optional(),
                annotations: Labels.optional(),
              }),
            )
            .min(1),
        }),
      ),
    }),
  }),
  "gateway.networking.k8s.io/v1 Gateway": z.strictObject({
    spec: z.strictObject({
      gatewayClassName: z.string(),
      listeners: z
        .array(
          z.strictObject({
            name: z.string(),
            protocol: z.enum(["HTTP", "HTTPS"]),
            port: z.number().int(),
            allowedRoutes: z.strictObject({ namespaces: z.strictObject({ from: z.enum(["Same", "All", "Selector"]) }) }).optional(),
          }),
        )
        .min(1),
    }),
  }),
  "gateway.networking.k8s.io/v1 HTTPRoute": z.strictObject({
    spec: z.strictObject({
      parentRefs: z.array(z.strictObject({ name: z.string() })).min(1),
      hostnames: z.array(z.hostname()).min(1),
      rules: z.array(
        z.strictObject({
          matches: z
            .array(z.strictObject({ path: z.strictObject({ type: z.enum(["PathPrefix", "Exact"]), value: z.string().startsWith("/") }) }))
            .min(1),
          backendRefs: z.array(z.strictObject({ name: z.string(), port: z.number().int() })).min(1),
        }),
      ),
    }),
  }),
  "networking.gke.io/v1 GCPBackendPolicy": z.strictObject({
    spec: z.strictObject({
      targetRef: ServiceReference,
      default: z.strictObject({
        timeoutSec: z.number().int().min(1).max(2_147_483_647),
        connectionDraining: z.strictObject({ drainingTimeoutSec: z.number().int().min(0).max(3_600) }).optional(),
      }),
    }),
  }),
  "networking.gke.io/v1 HealthCheckPolicy": z
    .strictObject({
      spec: z.strictObject({
        targetRef: ServiceReference,
        default: z.strictObject({
          checkIntervalSec: z.number().int(),
          timeoutSec: z.number().int(),
          healthyThreshold: z.number().int(),
          unhealthyThreshold: z.number().int(),
          config: z.strictObject({
            type: z.literal("HTTP"),
            httpHealthCheck: z.strictObject({
              requestPath: z.string().startsWith("/"),
              portSpecification: z.enum(["USE_SERVING_PORT", "USE_FIXED_PORT"]).optional(),
              port: z.number().optional(),
            }),
          }),
        }),
      }),
    })
    .refine(({ spec }) => spec.default.timeoutSec <= spec.default.checkIntervalSec, "timeoutSec must not exceed checkIntervalSec"),
};
