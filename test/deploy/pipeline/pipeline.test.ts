import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readText, ROOT } from "../../repository/source.ts";
import { workloads } from "../kubernetes/cluster.ts";
import { hasKubectl, OVERLAYS, render, type Overlay } from "../kubernetes/render.ts";
import { pipelineFindings } from "./cloud-build.ts";
import { profileNames, skaffoldFindings, type SkaffoldWorld } from "./skaffold.ts";

const skaffold = readText("skaffold.yaml");
const cloudBuild = readText("cloudbuild.yaml");
const canRender = hasKubectl();
const rendered = new Map(canRender ? OVERLAYS.map((overlay) => [overlay, render(overlay)] as const) : []);

const world: SkaffoldWorld = {
  hasFile: (path) => existsSync(join(ROOT, path)),
  imagesOf(path) {
    const manifests = rendered.get(path.split("/").at(-1) as Overlay);
    if (!manifests) return undefined;
    const ours = workloads(manifests).filter(({ isOurs }) => isOurs);
    return [...new Set(ours.flatMap(({ spec }) => spec.containers.map(({ image = "" }) => image.replace(/:[^/:]+$/, ""))))];
  },
  services: ["signalbox-api"],
};

test("skaffold builds what the manifests run, for every profile", () => {
  expect(skaffoldFindings(skaffold, world)).toEqual([]);
  expect(profileNames(skaffold)).toEqual(["staging", "production"]);
});

test("the pipeline tests, lists and signs before it rolls out, by digest", () => {
  expect(pipelineFindings(cloudBuild, profileNames(skaffold))).toEqual([]);
});

test("the pipeline builds on the base image that the Dockerfile names", () => {
  const [, base] = /^ARG NODE_IMAGE=(\S+)$/m.exec(readText("Dockerfile")) ?? [];
  expect(base).toBeDefined();
  for (const [, fallback] of skaffold.matchAll(/NODE_IMAGE: '\{\{ default "([^"]+)" \.NODE_IMAGE \}\}'/g)) expect(fallback).toBe(base);
});

test("what the pipeline deploys to Firestore is there", () => {
  const { firestore } = JSON.parse(readText("firebase.json")) as { firestore: { rules: string; indexes: string } };
  for (const file of [firestore.rules, firestore.indexes]) expect(existsSync(join(ROOT, file)), file).toBe(true);
});

describe("a seeded mistake is named", () => {
  test.runIf(canRender).each<[RegExp, string | RegExp, string]>([
    [/^SCHEMA .*profiels/, "profiles:", "profiels:"],
    [/^SCHEMA apiVersion/, "v4beta11", "v4beta99"],
    [/^PATH staging: there is no k8s\/overlays\/stage/, "k8s/overlays/staging", "k8s/overlays/stage"],
    [/^PATH staging: deploys .*production/, "k8s/overlays/staging", "k8s/overlays/production"],
    [/^PATH local: there is no Containerfile/, "dockerfile: Dockerfile", "dockerfile: Containerfile"],
    [/^IMAGE production: builds/, "signalbox-production/signalbox/signalbox", "signalbox-staging/signalbox/signalbox"],
    [/^PUSH production/, /push: true(?![^]*push: true)/, "push: false"],
    [/^PORT_FORWARD/, "resourceName: signalbox-api", "resourceName: signalbox"],
  ])("in skaffold.yaml: %s", (finding, from, to) => {
    expect(skaffold).toMatch(from);
    expect(skaffoldFindings(skaffold.replace(from, to), world)).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
  });

  test.each<[RegExp, string | RegExp, string]>([
    [/^SCHEMA steps\.0/, "  - id: test\n", "  - id: test\n    ignoreFailure: true\n"],
    [/^SCHEMA options\.requestedVerifyOption/, "requestedVerifyOption: VERIFIED", "requestedVerifyOption: MAYBE"],
    [/^IMAGE test/, 'name: node:24.21.0-bookworm\n    waitFor: ["-"]', 'name: node\n    waitFor: ["-"]'],
    [/^ORDER sign: does not wait for test/, "waitFor: [test, build, sbom]", "waitFor: [build, sbom]"],
    [/^ORDER deploy: does not wait for sign/, "waitFor: [database]", 'waitFor: ["-"]'],
    [/^ORDER sbom: waits for bild/, "waitFor: [build]", "waitFor: [bild]"],
    [/^STEP: there is no sbom/, "id: sbom", "id: bom"],
    [/^SCRIPT test: goes on/, "set -euo pipefail", "set -u"],
    [/^SCRIPT build: .*syntax error|^SCRIPT build: .*unexpected EOF/, 'docker pull --quiet "$base"', 'docker pull --quiet "$base'],
    [/^SCRIPT sign: \$_KEYVERSION is set nowhere/, '--keyversion="$_KEY_VERSION"', '--keyversion="$_KEYVERSION"'],
    [/^PROFILE: .*stage/, "_PROFILE: staging", "_PROFILE: stage"],
    [/^DEPLOY: rolls out by tag/, " --build-artifacts /workspace/artifacts.json", ""],
  ])("in cloudbuild.yaml: %s", (finding, from, to) => {
    expect(cloudBuild.replace(from, to)).not.toBe(cloudBuild);
    expect(pipelineFindings(cloudBuild.replace(from, to), profileNames(skaffold))).toEqual(
      expect.arrayContaining([expect.stringMatching(finding)]),
    );
  });
});
