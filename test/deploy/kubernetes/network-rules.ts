import { BlockList } from "node:net";
import type { INetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { ofKind, selects, workloads, type Workload } from "./cluster.ts";
import type { Manifest } from "./render.ts";

const METADATA = "169.254.169.254";
/** One address of each range that steps must not reach by default. */
const INSIDE = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.1.1"];

/** Policies add up, so what a pod may reach is the union of all that select it. */
export function networkFindings(manifests: readonly Manifest[]): string[] {
  const policies = ofKind(manifests, "NetworkPolicy");
  return workloads(manifests).flatMap((workload) => {
    const own = policies.filter(({ spec }) => selects(spec?.podSelector ?? {}, workload.labels));
    const findings: string[] = [];
    for (const type of ["Ingress", "Egress"] as const) {
      if (!own.some(({ spec }) => spec?.policyTypes?.includes(type)))
        findings.push(`NETWORK ${workload.name}: ${type} is open, no policy denies it`);
    }
    if (!hasIdentity(workload, manifests) && reaches(own, METADATA))
      findings.push(`METADATA ${workload.name}: reaches ${METADATA} without an identity to get there`);
    if (hasIdentity(workload, manifests) && !reaches(own, METADATA))
      findings.push(`METADATA ${workload.name}: cannot get tokens of its identity`);
    const inside = INSIDE.filter((address) => reaches(own, address));
    if (inside.length > 0) findings.push(`NETWORK ${workload.name}: reaches ${inside.join(", ")}`);
    if (workload.isOurs && own.flatMap(({ spec }) => spec?.ingress ?? []).some(({ from }) => !from || from.length === 0)) {
      findings.push(`NETWORK ${workload.name}: takes connections from everywhere`);
    }
    return findings;
  });
}

function hasIdentity({ spec }: Workload, manifests: readonly Manifest[]): boolean {
  const account = ofKind(manifests, "ServiceAccount").find(({ metadata }) => metadata?.name === spec.serviceAccountName);
  return account?.metadata?.annotations?.["iam.gke.io/gcp-service-account"] !== undefined;
}

function reaches(policies: readonly INetworkPolicy[], address: string): boolean {
  return policies
    .flatMap(({ spec }) => (spec?.policyTypes?.includes("Egress") ? (spec.egress ?? []) : []))
    .some(
      ({ to }) =>
        !to ||
        to.length === 0 ||
        to.some(
          ({ ipBlock }) => ipBlock && contains(ipBlock.cidr, address) && !(ipBlock.except ?? []).some((cidr) => contains(cidr, address)),
        ),
    );
}

function contains(cidr: string, address: string): boolean {
  const [network = "", bits = "32"] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(network, Number(bits), network.includes(":") ? "ipv6" : "ipv4");
  return list.check(address);
}
