import { parse } from "yaml";
import { z } from "zod";

const Build = z.strictObject({
  artifacts: z
    .array(
      z.strictObject({
        image: z.string(),
        docker: z.strictObject({ dockerfile: z.string(), buildArgs: z.record(z.string(), z.string()).optional() }),
      }),
    )
    .min(1),
  tagPolicy: z.strictObject({ gitCommit: z.strictObject({}) }),
  local: z.strictObject({ push: z.boolean(), useBuildkit: z.boolean().optional() }),
});
const Manifests = z.strictObject({ kustomize: z.strictObject({ paths: z.array(z.string()).length(1) }) });
const Deploy = z.strictObject({ statusCheckDeadlineSeconds: z.number().int(), kubectl: z.strictObject({}) });

/** The part of skaffold's v4 configuration in use; anything else is refused until it is added here. */
const Skaffold = z.strictObject({
  apiVersion: z.literal("skaffold/v4beta11"),
  kind: z.literal("Config"),
  metadata: z.strictObject({ name: z.string() }),
  build: Build,
  manifests: Manifests,
  deploy: Deploy,
  portForward: z.array(
    z.strictObject({
      resourceType: z.literal("service"),
      resourceName: z.string(),
      namespace: z.string(),
      port: z.number(),
      localPort: z.number(),
    }),
  ),
  profiles: z.array(z.strictObject({ name: z.string(), build: Build, manifests: Manifests, deploy: Deploy })),
});

export interface SkaffoldWorld {
  hasFile(path: string): boolean;
  /** Images of the service in a rendered overlay, without tag; undefined where it cannot be rendered here. */
  imagesOf(overlay: string): string[] | undefined;
  services: readonly string[];
}

/** What would make `skaffold dev` or `skaffold run -p <profile>` fail, or roll out an image it did not build. */
export function skaffoldFindings(text: string, world: SkaffoldWorld): string[] {
  const parsed = Skaffold.safeParse(parse(text));
  if (!parsed.success) return parsed.error.issues.map((issue) => `SCHEMA ${issue.path.join(".")}: ${issue.message}`);
  const { profiles, portForward, ...defaults } = parsed.data;
  const findings = [{ name: "local", ...defaults }, ...profiles].flatMap(({ name, build, manifests }) => {
    const [path = ""] = manifests.kustomize.paths;
    const problems: string[] = [];
    if (!world.hasFile(`${path}/kustomization.yaml`)) return [`PATH ${name}: there is no ${path}`];
    if (!path.endsWith(`/${name}`)) problems.push(`PATH ${name}: deploys ${path}`);
    for (const { image, docker } of build.artifacts) {
      if (!world.hasFile(docker.dockerfile)) problems.push(`PATH ${name}: there is no ${docker.dockerfile}`);
      const images = world.imagesOf(path);
      if (images && !images.includes(image)) problems.push(`IMAGE ${name}: builds ${image}, the manifests run ${images.join()}`);
    }
    if (build.local.push !== (name !== "local"))
      problems.push(`PUSH ${name}: a ${name} cluster ${build.local.push ? "needs no registry" : "cannot pull from this machine"}`);
    return problems;
  });
  const missing = portForward.filter(({ resourceName }) => !world.services.includes(resourceName));
  return [...findings, ...missing.map(({ resourceName }) => `PORT_FORWARD: there is no service ${resourceName}`)];
}

export function profileNames(text: string): string[] {
  return (parse(text) as { profiles: { name: string }[] }).profiles.map(({ name }) => name);
}
