import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "vitest/node";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Every file that is or would be committed, as paths from the top folder. */
export function repositoryFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" });
  return [...new Set(listed.split("\0"))].filter((path) => path !== "" && existsSync(join(ROOT, path))).toSorted();
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export interface SourceFile {
  path: string;
  text: string;
  imports: Import[];
  /** Lines that say `any` as a type. */
  anyLines: number[];
  /** Lines that read `process.env`. */
  environmentLines: number[];
}

export interface Import {
  /** A path from the top folder for our own files, else the package as written. */
  target: string;
  typeOnly: boolean;
  line: number;
}

/** A TypeScript file with what it imports: statements, re-exports, `import("literal")` and `import("literal").Type`. */
export function parseSource(path: string, text = readText(path)): SourceFile {
  const file: SourceFile = { path, text, imports: [], anyLines: [], environmentLines: [] };
  visit(parseAst(text, { lang: "ts" }), (node) => {
    const line = text.slice(0, node.start).split("\n").length;
    const specifier = specifierOf(node);
    if (specifier !== undefined) {
      const target = specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier;
      file.imports.push({ target, typeOnly: isTypeOnly(node), line });
    }
    if (node.type === "TSAnyKeyword") file.anyLines.push(line);
    if (node.type === "MemberExpression" && nameOf(node["object"]) === "process" && nameOf(node["property"]) === "env") {
      file.environmentLines.push(line);
    }
  });
  return file;
}

interface Node {
  type: string;
  start: number;
  [field: string]: unknown;
}

function visit(value: unknown, enter: (node: Node) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (isNode(value)) enter(value);
  for (const child of Object.values(value)) visit(child, enter);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value;
}

const IMPORTING = new Set(["ImportDeclaration", "ExportAllDeclaration", "ExportNamedDeclaration", "ImportExpression", "TSImportType"]);

function specifierOf(node: Node): string | undefined {
  if (!IMPORTING.has(node.type)) return undefined;
  const source = node["source"];
  return isNode(source) && typeof source["value"] === "string" ? source["value"] : undefined;
}

function isTypeOnly(node: Node): boolean {
  if (node.type === "TSImportType" || node["importKind"] === "type" || node["exportKind"] === "type") return true;
  const specifiers = node["specifiers"];
  if (!Array.isArray(specifiers) || specifiers.length === 0) return false;
  return specifiers.every((item: unknown) => isNode(item) && (item["importKind"] === "type" || item["exportKind"] === "type"));
}

function nameOf(value: unknown): string | undefined {
  return isNode(value) && value.type === "Identifier" && typeof value["name"] === "string" ? value["name"] : undefined;
}
