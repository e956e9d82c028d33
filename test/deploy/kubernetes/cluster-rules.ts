import { environmentOf, ofKind, selects, workloads } from "./cluster.ts";
import { nameOf, type Manifest } from "./render.ts";

const PUBSUB_SETTINGS = ["SIGNALBOX_QUEUE", "SIGNALBOX_EVENTS", "SIGNALBOX_EVENTS_OUT"] as const;

const NAMESPACE = "signalbox";
const NOT_NAMESPACED = new Set(["Namespace"]);

/** What must hold between objects: everything selects something, every reference leads somewhere, nothing is left to chance. */
export function clusterFindings(manifests: readonly Manifest[]): string[] {
  return [
    ...namespaceFindings(manifests),
    ...selectorFindings(manifests),
    ...referenceFindings(manifests),
    ...budgetFindings(manifests),
    ...autoscalerFindings(manifests),
    ...secretFindings(manifests),
    ...identityFindings(manifests),
    ...routeFindings(manifests),
    ...addressFindings(manifests),
  ];
}

function namespaceFindings(manifests: readonly Manifest[]): string[] {
  const strays = manifests.filter(({ kind, metadata }) => !NOT_NAMESPACED.has(kind) && metadata.namespace !== NAMESPACE);
  const space = manifests.find(({ kind, metadata }) => kind === "Namespace" && metadata.name === NAMESPACE);
  const isRestricted = space?.metadata.labels?.["pod-security.kubernetes.io/enforce"] === "restricted";
  return [
    ...strays.map((manifest) => `NAMESPACE ${nameOf(manifest)}: is in ${manifest.metadata.namespace ?? "whatever namespace is current"}`),
    ...(isRestricted ? [] : [`NAMESPACE ${NAMESPACE}: does not enforce the restricted Pod Security Standard`]),
  ];
}

function selectorFindings(manifests: readonly Manifest[]): string[] {
  const pods = workloads(manifests);
  const selectors = [
    ...ofKind(manifests, "Service").map(({ metadata, spec }) => ({
      name: `Service/${metadata?.name}`,
      selector: { matchLabels: spec?.selector ?? {} },
    })),
    ...ofKind(manifests, "PodDisruptionBudget").map(({ metadata, spec }) => ({
      name: `PodDisruptionBudget/${metadata?.name}`,
      selector: spec?.selector ?? {},
    })),
    ...ofKind(manifests, "NetworkPolicy").map(({ metadata, spec }) => ({
      name: `NetworkPolicy/${metadata?.name}`,
      selector: spec?.podSelector ?? {},
    })),
    ...manifests
      .filter(({ kind }) => kind === "PodMonitoring")
      .map((manifest) => ({ name: nameOf(manifest), selector: (manifest["spec"] as { selector: object }).selector })),
    ...pods.map(({ name, deployment }) => ({ name: `Deployment/${name}`, selector: deployment.spec?.selector ?? {} })),
  ];
  return selectors
    .filter(({ selector }) => !pods.some(({ labels }) => selects(selector, labels)))
    .map(({ name }) => `SELECTOR ${name}: selects no pod`);
}

function referenceFindings(manifests: readonly Manifest[]): string[] {
  const has = (kind: string, name: string | undefined) =>
    manifests.some((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  const findings: string[] = [];
  for (const { name, spec } of workloads(manifests)) {
    if (spec.serviceAccountName && !has("ServiceAccount", spec.serviceAccountName))
      findings.push(`REFERENCE ${name}: ServiceAccount ${spec.serviceAccountName}`);
    for (const { configMapRef, secretRef } of spec.containers.flatMap(({ envFrom }) => envFrom ?? [])) {
      if (configMapRef && !has("ConfigMap", configMapRef.name)) findings.push(`REFERENCE ${name}: ConfigMap ${configMapRef.name}`);
      if (secretRef && !secretRef.optional && !has("Secret", secretRef.name)) findings.push(`REFERENCE ${name}: Secret ${secretRef.name}`);
    }
  }
  for (const { metadata, spec } of ofKind(manifests, "Service")) {
    const names = workloads(manifests)
      .filter(({ labels }) => selects({ matchLabels: spec?.selector ?? {} }, labels))
      .flatMap((workload) => workload.spec.containers.flatMap(({ ports }) => (ports ?? []).map((port) => port.name)));
    for (const { targetPort } of spec?.ports ?? []) {
      if (!names.includes(String(targetPort))) findings.push(`REFERENCE Service/${metadata?.name}: port ${targetPort}`);
    }
  }
  return findings;
}

function budgetFindings(manifests: readonly Manifest[]): string[] {
  const budgets = ofKind(manifests, "PodDisruptionBudget");
  return workloads(manifests)
    .filter(({ isOurs }) => isOurs)
    .flatMap(({ name, labels }) => {
      const budget = budgets.find(({ spec }) => selects(spec?.selector ?? {}, labels));
      if (!budget) return [`BUDGET ${name}: a drained node may take all of its pods`];
      // With one pod `minAvailable: 1` blocks every node upgrade for ever.
      return budget.spec?.maxUnavailable === undefined || budget.spec.maxUnavailable === 0
        ? [`BUDGET ${name}: blocks the draining of nodes`]
        : [];
    });
}

function autoscalerFindings(manifests: readonly Manifest[]): string[] {
  const autoscalers = ofKind(manifests, "HorizontalPodAutoscaler");
  const isManaged = manifests.some(({ kind }) => kind === "Gateway");
  const pods = workloads(manifests).filter(({ isOurs }) => isOurs);
  const findings = autoscalers
    .filter(({ spec }) => !pods.some(({ name }) => spec?.scaleTargetRef.kind === "Deployment" && spec.scaleTargetRef.name === name))
    .map(({ metadata }) => `AUTOSCALER ${metadata?.name}: scales nothing`);
  for (const { name, deployment, labels } of pods) {
    const autoscaler = autoscalers.find(({ spec }) => spec?.scaleTargetRef.name === name);
    if (!autoscaler && isManaged) findings.push(`AUTOSCALER ${name}: has none`);
    if (!autoscaler) continue;
    if (deployment.spec?.replicas !== undefined)
      findings.push(`AUTOSCALER ${name}: each apply would set its replicas back to ${deployment.spec.replicas}`);
    if ((autoscaler.spec?.minReplicas ?? 1) < 2) findings.push(`AUTOSCALER ${name}: one pod is a single point of failure`);
    const metrics = (autoscaler.spec?.metrics ?? []).map(({ resource, external }) => resource?.name ?? external?.metric.name);
    const wanted =
      labels["app.kubernetes.io/component"] === "worker" ? "pubsub.googleapis.com|subscription|num_undelivered_messages" : "cpu";
    if (!metrics.includes(wanted)) findings.push(`AUTOSCALER ${name}: does not look at ${wanted}`);
  }
  return findings;
}

function secretFindings(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, "ConfigMap").flatMap(({ metadata, data }) =>
    Object.keys(data ?? {})
      .filter((key) => /KEY|SECRET|TOKEN|PASSWORD/.test(key))
      .map((key) => `SECRET ConfigMap/${metadata?.name}: ${key} belongs into a Secret`),
  );
}

/** Project ids must agree: a pod of one environment must not act in another. */
function identityFindings(manifests: readonly Manifest[]): string[] {
  return workloads(manifests).flatMap((workload) => {
    const environment = environmentOf(workload, manifests);
    const project = /^firestore:([^/]+)/.exec(environment["SIGNALBOX_STORE"] ?? "")?.[1];
    if (!workload.isOurs || environment["FIRESTORE_EMULATOR_HOST"]) return [];
    const account = ofKind(manifests, "ServiceAccount").find(({ metadata }) => metadata?.name === workload.spec.serviceAccountName);
    const identity = account?.metadata?.annotations?.["iam.gke.io/gcp-service-account"];
    const findings = identity?.endsWith(`@${project}.iam.gserviceaccount.com`)
      ? []
      : [`IDENTITY ${workload.name}: acts as ${identity} on project ${project}`];
    // Work hints, events in, events out: what is not set is off, and a cluster without it does half of its work.
    const strayed = PUBSUB_SETTINGS.filter((name) => environment[name] !== `pubsub:${project}`);
    return [...findings, ...strayed.map((name) => `IDENTITY ${workload.name}: ${name} is ${environment[name]}, its project ${project}`)];
  });
}

/** Paths of the process that are for the cluster alone, and those that callers outside must reach. */
function routeFindings(manifests: readonly Manifest[]): string[] {
  const inside = ["/metrics", "/livez", "/readyz", "/healthz"];
  const outside = ["/api/v1", "/graphql", "/hooks", "/callbacks", "/push/pubsub", "/docs", "/errors", "/openapi.json"];
  return manifests
    .filter(({ kind }) => kind === "HTTPRoute")
    .flatMap((route) => {
      // Held by its schema.
      const { rules } = route["spec"] as { rules: { matches: { path: { value: string } }[] }[] };
      const prefixes = rules.flatMap(({ matches }) => matches.map(({ path }) => path.value.replace(/\/$/, "")));
      const isOpen = (path: string) => prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
      return [
        ...inside.filter(isOpen).map((path) => `ROUTE ${nameOf(route)}: ${path} is reachable from outside`),
        ...outside.filter((path) => !isOpen(path)).map((path) => `ROUTE ${nameOf(route)}: ${path} is not reachable`),
      ];
    });
}

/** Whoever is to call back is given this address: without it a worker can give none, with another one the call leads elsewhere. */
function addressFindings(manifests: readonly Manifest[]): string[] {
  const routed = manifests
    .filter(({ kind }) => kind === "HTTPRoute")
    .flatMap((route) => (route["spec"] as { hostnames: string[] }).hostnames.map((name) => `https://${name}`)); // held by its schema
  return workloads(manifests).flatMap((workload) => {
    const address = environmentOf(workload, manifests)["SIGNALBOX_PUBLIC_URL"];
    const isRight = address !== undefined && (routed.length === 0 || routed.includes(address));
    return !workload.isOurs || isRight
      ? []
      : [`ADDRESS ${workload.name}: SIGNALBOX_PUBLIC_URL is ${address}, the gateway's ${routed.join()}`];
  });
}
