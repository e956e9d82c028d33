import { expect, test } from "vitest";
import { z } from "zod";
import { readText } from "./source.ts";

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      dependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});
const Manifest = z.object({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  optionalDependencies: z.record(z.string(), z.string()),
});

const { "": root, ...packages } = Lock.parse(JSON.parse(readText("package-lock.json"))).packages;
const manifest = Manifest.parse(JSON.parse(readText("package.json")));

test("the lock file names no registry: it installs from whichever one npm is told", () => {
  expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});

test("every locked package is checked against a digest", () => {
  expect(Object.keys(packages).filter((path) => !packages[path]?.integrity?.startsWith("sha512-"))).toEqual([]);
});

test("the lock file belongs to package.json", () => {
  expect(root?.dependencies).toEqual(manifest.dependencies);
});

test("versions are exact", () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("every dependency has its reason in docs/decisions/dependencies.md", () => {
  const page = readText("docs/decisions/dependencies.md");
  const all = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies });
  expect(all.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
