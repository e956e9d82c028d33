import { configSchema, loadConfig } from "../../../src/config.ts";
import { environmentOf, workloads, type Workload } from "./cluster.ts";
import type { Manifest } from "./render.ts";

/** Read by Google's and OpenTelemetry's libraries, not by src/config.ts. */
const FOREIGN_SETTINGS = /^(FIRESTORE_EMULATOR_HOST|PUBSUB_EMULATOR_HOST|METADATA_SERVER_DETECTION|OTEL_\w+)$/;
/** The API gives requests under way this long when it closes (src/api/server.ts). */
const CLOSE_MS = 3_000;
/** Between the last promise kept and SIGKILL, milliseconds. */
const SPARE_MS = 5_000;

/** What must hold for every pod: security, probes, resources, life cycle, settings. */
export function podFindings(manifests: readonly Manifest[]): string[] {
  return workloads(manifests).flatMap((workload) => [
    ...imageFindings(workload),
    ...securityFindings(workload),
    ...resourceFindings(workload),
    ...(workload.isOurs ? [...probeFindings(workload), ...spreadFindings(workload), ...settingFindings(workload, manifests)] : []),
  ]);
}

function imageFindings({ name, spec }: Workload): string[] {
  return spec.containers.flatMap(({ image = "" }) => {
    const isPinned = /@sha256:[0-9a-f]{64}$/.test(image) || /:v?\d+\.\d+\.\d+[\w.-]*$/.test(image);
    return isPinned ? [] : [`IMAGE_UNPINNED ${name}: ${image}`];
  });
}

/** The restricted Pod Security Standard, a read-only root, and no token of the Kubernetes API. */
function securityFindings({ name, spec }: Workload): string[] {
  const { securityContext: pod } = spec;
  const problems: string[] = [];
  if (spec.hostNetwork || spec.hostPID || spec.hostIPC) problems.push("uses a namespace of the host");
  if (spec.automountServiceAccountToken !== false) problems.push("mounts a token of the Kubernetes API");
  if (pod?.runAsNonRoot !== true || !pod.runAsUser) problems.push("may run as root");
  if (pod?.seccompProfile?.type !== "RuntimeDefault") problems.push("has no seccomp profile");
  const allowedVolumes = ["emptyDir", "configMap", "secret", "projected", "downwardAPI", "csi"];
  for (const { name: volume, ...source } of spec.volumes ?? []) {
    if (Object.keys(source).some((kind) => !allowedVolumes.includes(kind)))
      problems.push(`mounts ${Object.keys(source).join()} as ${volume}`);
  }
  for (const { name: container, securityContext } of [...spec.containers, ...(spec.initContainers ?? [])]) {
    if (securityContext?.privileged || securityContext?.allowPrivilegeEscalation !== false)
      problems.push(`${container} may gain privileges`);
    if (!securityContext?.capabilities?.drop?.includes("ALL") || securityContext.capabilities.add?.length)
      problems.push(`${container} keeps capabilities`);
    if (securityContext?.readOnlyRootFilesystem !== true) problems.push(`${container} can write to its image`);
  }
  return problems.map((problem) => `POD_SECURITY ${name}: ${problem}`);
}

function resourceFindings({ name, spec }: Workload): string[] {
  return spec.containers
    .filter(({ resources }) => !resources?.requests?.["cpu"] || !resources.requests["memory"] || !resources.limits?.["memory"])
    .map(({ name: container }) => `RESOURCES ${name}: ${container} lacks a request of cpu or memory, or a limit of memory`);
}

function probeFindings({ name, spec }: Workload): string[] {
  const [container] = spec.containers;
  const wanted = { startupProbe: "/livez", livenessProbe: "/livez", readinessProbe: "/readyz" } as const;
  return Object.entries(wanted).flatMap(([probe, path]) => {
    const found = container?.[probe as keyof typeof wanted];
    if (!found) return [`PROBE ${name}: has no ${probe}`];
    if (found.httpGet?.path !== path) return [`PROBE ${name}: ${probe} asks ${found.httpGet?.path}, not ${path}`];
    const isServed = container?.ports?.some((port) => port.name === found.httpGet?.port);
    return isServed ? [] : [`PROBE ${name}: ${probe} asks a port that the container does not name`];
  });
}

function spreadFindings({ name, spec, labels }: Workload): string[] {
  const constraints = spec.topologySpreadConstraints ?? [];
  return ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].flatMap((key) => {
    const constraint = constraints.find(({ topologyKey }) => topologyKey === key);
    const matches = Object.entries(constraint?.labelSelector?.matchLabels ?? {});
    const isOwn = matches.length > 0 && matches.every(([label, value]) => labels[label] === value);
    return isOwn ? [] : [`SPREAD ${name}: its pods are not spread over ${key}`];
  });
}

function settingFindings(workload: Workload, manifests: readonly Manifest[]): string[] {
  const { name, spec } = workload;
  const environment = environmentOf(workload, manifests);
  const findings = Object.keys(environment)
    .filter((key) => !(key in configSchema.shape) && !FOREIGN_SETTINGS.test(key))
    .map((key) => `SETTING ${name}: nothing reads ${key}`);
  const loaded = loadConfig(environment);
  if ("problems" in loaded) return [...findings, ...loaded.problems.map((problem) => `SETTING ${name}: ${problem}`)];
  const { config } = loaded;
  if (config.HOST !== "0.0.0.0") findings.push(`SETTING ${name}: listens on ${config.HOST}, which no probe reaches`);
  if (workload.labels["app.kubernetes.io/component"] !== config.SIGNALBOX_ROLE)
    findings.push(`SETTING ${name}: its role is ${config.SIGNALBOX_ROLE}`);
  const containerPort = spec.containers[0]?.ports?.find((port) => port.name === "http")?.containerPort;
  if (containerPort !== config.PORT) findings.push(`SETTING ${name}: listens on ${config.PORT}, its port http is ${containerPort}`);
  const neededMs = config.SIGNALBOX_LINGER_MS + config.SIGNALBOX_DRAIN_MS + CLOSE_MS + SPARE_MS;
  const graceMs = (spec.terminationGracePeriodSeconds ?? 30) * 1_000;
  if (graceMs < neededMs) findings.push(`GRACE ${name}: SIGKILL comes after ${graceMs} ms, an orderly stop may take ${neededMs} ms`);
  return findings;
}
