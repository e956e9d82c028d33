import { describe, expect, test } from "vitest";
import { clusterFindings } from "./cluster-rules.ts";
import { networkFindings } from "./network-rules.ts";
import { podFindings } from "./pod-rules.ts";
import { hasKubectl, OVERLAYS, render, type Manifest, type Overlay } from "./render.ts";
import { schemaFindings } from "./schema.ts";

const canRender = hasKubectl();
const rendered = new Map(canRender ? OVERLAYS.map((overlay) => [overlay, render(overlay)] as const) : []);

function manifestsOf(overlay: Overlay): Manifest[] {
  return structuredClone(rendered.get(overlay) ?? []);
}

function findings(manifests: Manifest[]): string[] {
  return [...manifests.flatMap(schemaFindings), ...podFindings(manifests), ...clusterFindings(manifests), ...networkFindings(manifests)];
}

describe.runIf(canRender)("every overlay", () => {
  test.each(OVERLAYS)("%s fits the API's schemas and our rules", (overlay) => {
    const manifests = manifestsOf(overlay);
    expect(manifests.length).toBeGreaterThan(12);
    expect(findings(manifests)).toEqual([]);
  });

  test("the same objects and settings everywhere, but for what an environment is about", () => {
    const names = (overlay: Overlay) =>
      manifestsOf(overlay).map(({ kind, metadata }) => `${kind}/${metadata.name.replace(/-[a-z0-9]{10}$/, "")}`);
    expect(names("staging")).toEqual(names("production"));
  });
});

const POD = "/spec/template/spec";
const CONTAINER = `${POD}/containers/0`;
const API = "Deployment/signalbox-api";
const WORKER = "Deployment/signalbox-worker";
const SETTINGS = "ConfigMap/signalbox-settings";

/** A mistake in production's manifests (an undefined value takes the field away), and the finding that must name it. */
const MISTAKES: readonly (readonly [finding: RegExp, object: string, pointer: string, value?: unknown])[] = [
  [/^SCHEMA Deployment\/signalbox-api: .*minReadySeconds/, API, "/spec/minReadySeconds", "five"],
  [/^SCHEMA .*there is no Deployment in apps\/v9/, API, "/apiVersion", "apps/v9"],
  [/^SCHEMA Rules\/signalbox/, "Rules/signalbox", "/spec/groups/0/rulez", []],
  [/^UNKNOWN_FIELD .*containers\/0\/imagePullPolice/, API, `${CONTAINER}/imagePullPolice`, "Always"],
  [/^UNKNOWN_FIELD .*readinessProbe\/httpGet\/url/, API, `${CONTAINER}/readinessProbe/httpGet/url`, "/"],
  [/^UNKNOWN_FIELD HorizontalPodAutoscaler/, "HorizontalPodAutoscaler/signalbox-api", "/spec/minReplica", 3],
  [/^IMAGE_UNPINNED signalbox-worker: signalbox:latest/, WORKER, `${CONTAINER}/image`, "signalbox:latest"],
  [/^IMAGE_UNPINNED signalbox-worker: signalbox$/, WORKER, `${CONTAINER}/image`, "signalbox"],
  [/^POD_SECURITY .*may run as root/, API, `${POD}/securityContext/runAsNonRoot`, false],
  [/^POD_SECURITY .*seccomp/, API, `${POD}/securityContext/seccompProfile/type`, "Unconfined"],
  [/^POD_SECURITY .*gain privileges/, API, `${CONTAINER}/securityContext/allowPrivilegeEscalation`],
  [/^POD_SECURITY .*keeps capabilities/, API, `${CONTAINER}/securityContext/capabilities/add`, ["NET_ADMIN"]],
  [/^POD_SECURITY .*write to its image/, API, `${CONTAINER}/securityContext/readOnlyRootFilesystem`, false],
  [/^POD_SECURITY .*token/, API, `${POD}/automountServiceAccountToken`],
  [/^POD_SECURITY .*namespace of the host/, API, `${POD}/hostNetwork`, true],
  [/^POD_SECURITY .*mounts hostPath/, API, `${POD}/volumes/0`, { name: "tmp", hostPath: { path: "/tmp" } }],
  [/^RESOURCES signalbox-api/, API, `${CONTAINER}/resources/limits`],
  [/^PROBE signalbox-api: has no startupProbe/, API, `${CONTAINER}/startupProbe`],
  [/^PROBE signalbox-api: livenessProbe asks \/readyz/, API, `${CONTAINER}/livenessProbe/httpGet/path`, "/readyz"],
  [/^PROBE signalbox-api: readinessProbe asks a port/, API, `${CONTAINER}/readinessProbe/httpGet/port`, "https"],
  [/^SPREAD signalbox-worker: .*zone/, WORKER, `${POD}/topologySpreadConstraints/0/topologyKey`, "zone"],
  [/^SETTING signalbox-api: nothing reads SIGNALBOX_DRAIN$/, SETTINGS, "/data/SIGNALBOX_DRAIN", "1"],
  [/^SETTING signalbox-api: SIGNALBOX_STORE/, SETTINGS, "/data/SIGNALBOX_STORE", "mysql:x"],
  [/^SETTING signalbox-api: HOST/, SETTINGS, "/data/SIGNALBOX_AUTH", "none"],
  [/^SETTING signalbox-api: listens on 9090/, SETTINGS, "/data/PORT", "9090"],
  [/^SETTING signalbox-worker: its role is api/, WORKER, `${CONTAINER}/env/0/value`, "api"],
  [/^GRACE signalbox-worker/, SETTINGS, "/data/SIGNALBOX_DRAIN_MS", "60000"],
  [/^NAMESPACE Service\/signalbox-api/, "Service/signalbox-api", "/metadata/namespace"],
  [/^NAMESPACE signalbox: does not enforce/, "Namespace/signalbox", "/metadata/labels"],
  [/^SELECTOR Service\/signalbox-api/, "Service/signalbox-api", "/spec/selector/app.kubernetes.io~1component", "apis"],
  [/^SELECTOR PodMonitoring\/signalbox/, "PodMonitoring/signalbox", "/spec/selector/matchLabels/app.kubernetes.io~1name", "signal"],
  [/^REFERENCE signalbox-api: ServiceAccount/, API, `${POD}/serviceAccountName`, "default-api"],
  [/^REFERENCE signalbox-api: ConfigMap/, API, `${CONTAINER}/envFrom/0/configMapRef/name`, "settings"],
  [/^REFERENCE signalbox-api: Secret/, API, `${CONTAINER}/envFrom/1/secretRef/optional`],
  [/^REFERENCE Service\/signalbox-api: port web/, "Service/signalbox-api", "/spec/ports/0/targetPort", "web"],
  [/^BUDGET signalbox-worker: blocks/, "PodDisruptionBudget/signalbox-worker", "/spec/maxUnavailable", 0],
  [
    /^BUDGET signalbox-worker: a drained node/,
    "PodDisruptionBudget/signalbox-worker",
    "/spec/selector/matchLabels/app.kubernetes.io~1component",
    "api",
  ],
  [/^AUTOSCALER signalbox-api: each apply/, API, "/spec/replicas", 2],
  [/^AUTOSCALER signalbox-api: scales nothing/, "HorizontalPodAutoscaler/signalbox-api", "/spec/scaleTargetRef/name", "api"],
  [/^AUTOSCALER signalbox-api: has none/, "HorizontalPodAutoscaler/signalbox-api", "/spec/scaleTargetRef/name", "api"],
  [/^AUTOSCALER signalbox-api: one pod/, "HorizontalPodAutoscaler/signalbox-api", "/spec/minReplicas", 1],
  [/^AUTOSCALER signalbox-worker: does not look/, "HorizontalPodAutoscaler/signalbox-worker", "/spec/metrics/0"],
  [/^SECRET ConfigMap.*OPENAI_API_KEY/, SETTINGS, "/data/OPENAI_API_KEY", "sk"],
  [
    /^IDENTITY signalbox-api: acts as .*staging/,
    "ServiceAccount/signalbox-api",
    "/metadata/annotations/iam.gke.io~1gcp-service-account",
    "signalbox-api@signalbox-staging.iam.gserviceaccount.com",
  ],
  [/^IDENTITY signalbox-api: SIGNALBOX_QUEUE is pubsub:signalbox-staging/, SETTINGS, "/data/SIGNALBOX_QUEUE", "pubsub:signalbox-staging"],
  [/^IDENTITY signalbox-worker: SIGNALBOX_EVENTS is undefined/, SETTINGS, "/data/SIGNALBOX_EVENTS"],
  [/^IDENTITY signalbox-worker: SIGNALBOX_EVENTS_OUT is off/, SETTINGS, "/data/SIGNALBOX_EVENTS_OUT", "off"],
  [/^ROUTE .*\/hooks is not reachable/, "HTTPRoute/signalbox", "/spec/rules/0/matches/2"],
  [/^ROUTE .*\/callbacks is not reachable/, "HTTPRoute/signalbox", "/spec/rules/0/matches/3"],
  [/^ADDRESS signalbox-worker: SIGNALBOX_PUBLIC_URL is undefined/, SETTINGS, "/data/SIGNALBOX_PUBLIC_URL"],
  [/^ADDRESS signalbox-api: .* is https:\/\/staging/, SETTINGS, "/data/SIGNALBOX_PUBLIC_URL", "https://staging.example.com"],
  [/^ROUTE .*\/metrics is reachable/, "HTTPRoute/signalbox", "/spec/rules/0/matches/0/path/value", "/"],
  [/^METADATA signalbox-api: cannot get tokens/, "NetworkPolicy/allow-workload-identity", "/spec/egress", []],
  [/^METADATA signalbox-api: reaches .* without/, "ServiceAccount/signalbox-api", "/metadata/annotations"],
  [/^NETWORK signalbox-api: reaches 10\.1\.2\.3/, "NetworkPolicy/allow-https-out", "/spec/egress/0/to/0/ipBlock/except"],
  [/^NETWORK signalbox-worker: Egress is open/, "NetworkPolicy/*", "/spec/policyTypes", ["Ingress"]],
  [/^NETWORK signalbox-api: takes connections from everywhere/, "NetworkPolicy/allow-gateway", "/spec/ingress/0/from"],
];

describe.runIf(canRender)("a seeded mistake is named", () => {
  test.each(MISTAKES.map(([finding, object, pointer, value]) => ({ finding, object, pointer, value })))(
    "$finding",
    ({ finding, object, pointer, value }) => {
      const manifests = manifestsOf("production");
      const [kind, name = ""] = object.split("/");
      // Generated names end with a digest.
      const touched = manifests.filter(
        (manifest) => manifest.kind === kind && (name === "*" || manifest.metadata.name.replace(/-[a-z0-9]{10}$/, "") === name),
      );
      expect(touched.length).toBeGreaterThan(0);
      for (const manifest of touched) edit(manifest, pointer, value);
      expect(findings(manifests)).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
    },
  );
});

function edit(root: object, pointer: string, value: unknown): void {
  const keys = pointer
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/"));
  const last = keys.pop() ?? "";
  let parent: object = root;
  for (const key of keys) {
    const child: unknown = Reflect.get(parent, key);
    if (typeof child !== "object" || child === null) throw new Error(`There is no ${pointer}.`);
    parent = child;
  }
  if (value !== undefined) Reflect.set(parent, last, value);
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (!Reflect.deleteProperty(parent, last)) throw new Error(`There is no ${pointer}.`);
}
