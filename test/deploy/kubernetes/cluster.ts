import type { IDeployment } from "kubernetes-models/apps/v1/Deployment";
import type { IHorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler";
import type { INetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import type { IConfigMap } from "kubernetes-models/v1/ConfigMap";
import type { IPodSpec } from "kubernetes-models/v1/PodSpec";
import type { IService } from "kubernetes-models/v1/Service";
import type { IServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import type { Manifest } from "./render.ts";

interface Kinds {
  Deployment: IDeployment;
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler;
  NetworkPolicy: INetworkPolicy;
  PodDisruptionBudget: IPodDisruptionBudget;
  ConfigMap: IConfigMap;
  Service: IService;
  ServiceAccount: IServiceAccount;
}

/** Objects of one kind. Their schema is checked beforehand, so their types hold. */
export function ofKind<K extends keyof Kinds>(manifests: readonly Manifest[], kind: K): Kinds[K][] {
  return manifests.filter((manifest) => manifest.kind === kind) as unknown as Kinds[K][];
}

/** The pods a Deployment makes. */
export interface Workload {
  name: string;
  labels: Record<string, string>;
  spec: IPodSpec;
  deployment: IDeployment;
  /** True for pods of the service itself, false for emulators. */
  isOurs: boolean;
}

export function workloads(manifests: readonly Manifest[]): Workload[] {
  return ofKind(manifests, "Deployment").map((deployment) => {
    const { metadata, spec } = deployment.spec?.template ?? {};
    const labels = metadata?.labels ?? {};
    return {
      name: deployment.metadata?.name ?? "",
      labels,
      spec: spec ?? { containers: [] },
      deployment,
      isOurs: labels["app.kubernetes.io/name"] === "signalbox",
    };
  });
}

interface Selector {
  matchLabels?: Record<string, string> | null;
  matchExpressions?: { key: string; operator: string; values?: string[] | null }[] | null;
}

export function selects({ matchLabels, matchExpressions }: Selector, labels: Record<string, string>): boolean {
  return (
    Object.entries(matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (matchExpressions ?? []).every(({ key, operator, values }) => operator === "In" && (values ?? []).includes(labels[key] ?? ""))
  );
}

/** Settings as a pod's process gets them: ConfigMaps and Secrets of `envFrom`, then `env`. */
export function environmentOf(workload: Workload, manifests: readonly Manifest[]): Record<string, string> {
  const container = workload.spec.containers[0];
  const fromMaps = (container?.envFrom ?? []).flatMap(({ configMapRef, secretRef }) => {
    const name = configMapRef?.name ?? secretRef?.name;
    const kind = configMapRef ? "ConfigMap" : "Secret";
    const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
    const data = Object.entries((found?.["data"] ?? {}) as Record<string, string>);
    return kind === "ConfigMap" ? data : data.map(([key, value]): [string, string] => [key, Buffer.from(value, "base64").toString()]);
  });
  const own = (container?.env ?? []).map(({ name, value }): [string, string] => [name, value ?? ""]);
  return Object.fromEntries([...fromMaps, ...own]);
}
