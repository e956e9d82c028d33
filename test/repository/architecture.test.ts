import { expect, test } from "vitest";
import { parseSource, repositoryFiles, type SourceFile } from "./source.ts";

/** What each part of src/ may import from the others. This table is the architecture; docs/architecture.md draws it. */
const MAY_IMPORT: Record<string, readonly string[] | "everything"> = {
  errors: [],
  config: [],
  log: [],
  definition: ["errors"],
  ports: ["definition", "errors"],
  circuit: ["ports"],
  ai: ["circuit", "definition", "errors", "ports"],
  outbound: ["definition", "errors", "ports"],
  actions: ["outbound", "definition", "errors"],
  tools: ["actions", "outbound", "definition", "errors"],
  steps: ["actions", "tools", "ai", "outbound", "definition", "errors"],
  registry: ["actions", "tools", "steps", "definition", "errors"],
  telemetry: ["circuit", "definition", "errors", "ports"],
  compiler: ["circuit", "registry", "steps", "ai", "outbound", "ports", "definition", "errors"],
  relay: ["telemetry", "ports", "definition", "errors"],
  executor: ["circuit", "relay", "compiler", "registry", "telemetry", "steps", "ai", "outbound", "ports", "definition", "errors"],
  triggers: ["executor", "relay", "registry", "ports", "definition", "errors"],
  events: ["triggers", "executor", "ports", "definition", "errors"],
  webhooks: ["relay", "outbound", "ports", "definition", "errors"],
  workflows: ["compiler", "registry", "steps", "ports", "definition", "errors"],
  api: [
    "executor",
    "workflows",
    "webhooks",
    "events",
    "triggers",
    "registry",
    "telemetry",
    "steps",
    "ports",
    "definition",
    "config",
    "errors",
  ],
  adapters: ["ports", "definition", "errors"],
  app: "everything",
  welcome: ["app", "executor", "workflows", "definition", "config", "errors"],
  main: ["app", "welcome", "config", "errors"],
};

const DRIVERS = ["node:sqlite", "@google-cloud/"];
const MAX_LINES = 300;

const files = repositoryFiles()
  .filter((path) => path.startsWith("src/") && path.endsWith(".ts"))
  .map((path) => parseSource(path));

test("each part of src/ imports only what the table allows", () => {
  const broken = files.flatMap((file) =>
    ownImports(file)
      .filter(({ target }) => !isAllowed(partOf(file.path), partOf(target)))
      .map(({ target, line }) => `${file.path}:${line} imports ${target}`),
  );
  expect(broken).toEqual([]);
});

test("every file of src/ belongs to a part of the table", () => {
  expect(files.map((file) => file.path).filter((path) => !(partOf(path) in MAY_IMPORT))).toEqual([]);
});

test("the table has no cycle", () => {
  const edges = Object.entries(MAY_IMPORT).map(([part, targets]) => [part, targets === "everything" ? [] : targets] as const);
  expect(findCycle(new Map(edges))).toBeUndefined();
});

test("no files import each other in a circle, types aside", () => {
  const edges = files.map(
    (file) =>
      [
        file.path,
        ownImports(file)
          .filter((item) => !item.typeOnly)
          .map((item) => item.target),
      ] as const,
  );
  expect(findCycle(new Map(edges))).toBeUndefined();
});

test("drivers are imported in src/adapters only", () => {
  const broken = files
    .filter((file) => partOf(file.path) !== "adapters")
    .flatMap((file) =>
      file.imports
        .filter(({ target }) => DRIVERS.some((driver) => target.startsWith(driver)))
        .map(({ target }) => `${file.path}: ${target}`),
    );
  expect(broken).toEqual([]);
});

test("only src/config.ts reads the environment", () => {
  const broken = files
    .filter((file) => file.path !== "src/config.ts")
    .flatMap((file) => file.environmentLines.map((line) => `${file.path}:${line}`));
  expect(broken).toEqual([]);
});

test("nothing in src/ is typed any", () => {
  expect(files.flatMap((file) => file.anyLines.map((line) => `${file.path}:${line}`))).toEqual([]);
});

test(`no file of src/ is longer than ${MAX_LINES} lines`, () => {
  const long = files
    .map((file) => ({ path: file.path, lines: file.text.trimEnd().split("\n").length }))
    .filter((file) => file.lines > MAX_LINES);
  expect(long).toEqual([]);
});

test.each([
  ['import { x } from "../executor/x.ts";', "src/executor/x.ts"],
  ['import type { x } from "../executor/x.ts";', "src/executor/x.ts"],
  ['export * from "../executor/x.ts";', "src/executor/x.ts"],
  ['export type { x } from "../executor/x.ts";', "src/executor/x.ts"],
  ['const x = await import("../executor/x.ts");', "src/executor/x.ts"],
  ['type X = import("../executor/x.ts").X;', "src/executor/x.ts"],
  ['import { DatabaseSync } from "node:sqlite";', "node:sqlite"],
])("this test sees %s", (text, target) => {
  expect(parseSource("src/definition/seeded.ts", text).imports.map((item) => item.target)).toEqual([target]);
});

test("this test sees any and process.env wherever they stand", () => {
  const seeded = parseSource("src/definition/seeded.ts", "const a: Map<string, any> = new Map();\nconst { HOME } = process.env;\n");
  expect(seeded).toMatchObject({ anyLines: [1], environmentLines: [2] });
});

function ownImports(file: SourceFile): SourceFile["imports"] {
  return file.imports.filter((item) => item.target.startsWith("src/"));
}

/** "src/ai/models.ts" is part of "ai", "src/errors.ts" is "errors". */
function partOf(path: string): string {
  return (path.split("/")[1] ?? "").replace(/\.ts$/, "");
}

function isAllowed(from: string, to: string): boolean {
  const targets = MAY_IMPORT[from] ?? [];
  return from === to || targets === "everything" || targets.includes(to);
}

/** The first circle found, as the nodes on it. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const walk = (node: string, path: string[]): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const cycle = walk(next, [...path, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = walk(node, []);
    if (cycle) return cycle;
  }
  return undefined;
}
