import { spawnSync } from "node:child_process";
import { parse } from "yaml";
import { z } from "zod";

const Step = z.strictObject({ id: z.string(), name: z.string(), waitFor: z.array(z.string()).min(1), script: z.string() });

/** The part of Cloud Build's schema in use; anything else is refused until it is added here. */
const Pipeline = z.strictObject({
  substitutions: z.record(z.string().regex(/^_[A-Z][A-Z_]*$/), z.string()),
  serviceAccount: z.string(),
  timeout: z.string().regex(/^\d+s$/),
  options: z.strictObject({
    requestedVerifyOption: z.literal("VERIFIED"),
    logging: z.literal("CLOUD_LOGGING_ONLY"),
    machineType: z.string(),
    automapSubstitutions: z.literal(true),
  }),
  steps: z.array(Step).min(1),
});
type Step = z.infer<typeof Step>;

/** Given by Cloud Build itself. */
const BUILT_IN = ["PROJECT_ID", "BUILD_ID", "LOCATION", "COMMIT_SHA", "SHORT_SHA"];
/** What must have ended well before what. */
const ORDER: readonly (readonly [step: string, before: string])[] = [
  ["test", "sign"],
  ["build", "sign"],
  ["sbom", "sign"],
  ["sign", "deploy"],
  ["database", "deploy"],
];

export function pipelineFindings(text: string, profiles: readonly string[]): string[] {
  const parsed = Pipeline.safeParse(parse(text));
  if (!parsed.success) return parsed.error.issues.map((issue) => `SCHEMA ${issue.path.join(".")}: ${issue.message}`);
  const { steps, substitutions } = parsed.data;
  const ids = steps.map(({ id }) => id);
  const findings = steps.flatMap((step, index) => [
    ...step.waitFor
      .filter((id) => id !== "-" && !ids.slice(0, index).includes(id))
      .map((id) => `ORDER ${step.id}: waits for ${id}, which does not come before it`),
    ...(/:v?\d+\.\d+\.\d+[\w.-]*$/.test(step.name) ? [] : [`IMAGE ${step.id}: ${step.name} may be another image tomorrow`]),
    ...scriptFindings(step, Object.keys(substitutions)),
  ]);
  for (const [step, before] of ORDER) {
    if (!ids.includes(step) || !ids.includes(before)) findings.push(`STEP: there is no ${ids.includes(step) ? before : step}`);
    else if (!comesBefore(step, before, steps)) findings.push(`ORDER ${before}: does not wait for ${step}`);
  }
  const profile = substitutions["_PROFILE"] ?? "";
  if (!profiles.includes(profile)) findings.push(`PROFILE: skaffold.yaml has no profile ${profile}`);
  const deploy = steps.find(({ id }) => id === "deploy")?.script ?? "";
  if (!deploy.includes("--build-artifacts")) findings.push("DEPLOY: rolls out by tag, not by the digest that was signed");
  return findings;
}

function scriptFindings({ id, script }: Step, substitutions: readonly string[]): string[] {
  const findings: string[] = [];
  if (!script.startsWith("#!/usr/bin/env bash\nset -euo pipefail\n")) findings.push(`SCRIPT ${id}: goes on after a command that failed`);
  const syntax = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
  if (syntax.status !== 0) findings.push(`SCRIPT ${id}: ${syntax.stderr.trim()}`);
  const assigned = [...script.matchAll(/^\s*(?:export )?([A-Za-z_]\w*)=/gm)].map(([, name]) => name);
  for (const [, name = ""] of script.matchAll(/\$\{?([A-Za-z_]\w*)/g)) {
    if (![...BUILT_IN, ...substitutions, ...assigned].includes(name)) findings.push(`SCRIPT ${id}: $${name} is set nowhere`);
  }
  return findings;
}

function comesBefore(step: string, later: string, steps: readonly Step[]): boolean {
  const waits = steps.find(({ id }) => id === later)?.waitFor ?? [];
  return waits.includes(step) || waits.some((id) => id !== "-" && comesBefore(step, id, steps));
}
