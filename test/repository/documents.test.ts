import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { configurationPage } from "../../scripts/docs/configuration-page.ts";
import { errorIndexPage } from "../../scripts/docs/error-index-page.ts";
import { anchorsOf, blocksOf, linksOf, pages } from "./documents.ts";
import { readText, repositoryFiles, ROOT } from "./source.ts";
import { problemsOf } from "./workflows.ts";

const blocks = pages.flatMap(blocksOf);
const OpenApi = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

test("docs/configuration.md says what the configuration schema says", () => {
  expect(readText("docs/configuration.md")).toBe(configurationPage());
});

test("docs/errors/README.md lists the error table", () => {
  expect(readText("docs/errors/README.md")).toBe(errorIndexPage());
});

test("every link into the repository leads somewhere", () => {
  const links = pages.flatMap(linksOf);
  const dead = links.filter(({ path, anchor }) => !existsSync(join(ROOT, path)) || (anchor && !anchorsOf(path).includes(anchor)));
  expect(links.length).toBeGreaterThan(10);
  expect(dead).toEqual([]);
});

test("every page of docs/ can be reached from the README", () => {
  const reached = new Set(["README.md"]);
  for (const page of reached) {
    for (const { path } of linksOf(page)) {
      if (path.endsWith(".md")) reached.add(path);
      // A link to a folder shows its pages.
      else for (const inside of pages) if (inside.startsWith(`${path.replace(/\/$/, "")}/`)) reached.add(inside);
    }
  }
  expect(pages.filter((page) => page.startsWith("docs/") && !reached.has(page))).toEqual([]);
});

test.each(blocks.filter(({ language }) => language === "json"))("the JSON at $place is JSON", ({ text }) => {
  expect(() => JSON.parse(text) as unknown).not.toThrow();
});

const workflows = blocks.filter(({ language, text }) => language === "json" && /"steps"\s*:\s*\[/.test(text));

test.each(workflows)("the workflow at $place can be saved", async ({ text }) => {
  expect(await problemsOf(JSON.parse(text))).toEqual([]);
});

/** `curl` calls in the pages: the method and the path without host and query. */
const calls = blocks
  .filter(({ language }) => ["sh", "console", "bash"].includes(language))
  .flatMap(({ place, text }) =>
    [...text.replaceAll(/\\\n\s*/g, " ").matchAll(/\bcurl\b[^\n]*/g)].map(([command]) => {
      const path = /localhost:\d+(\/[^\s'"?]*)/.exec(command)?.[1] ?? "";
      const method = /-X\s+(\w+)/.exec(command)?.[1] ?? (/\s(-d|--data|--json)\b/.test(command) ? "POST" : "GET");
      return { place, command, method: method.toLowerCase(), path };
    }),
  );

test.each(calls.filter(({ path }) => path.startsWith("/api/")))("the call at $place exists: $method $path", ({ method, path }) => {
  const { paths } = OpenApi.parse(JSON.parse(readText("docs/openapi.json")));
  const fits = (template: string) => new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(path);
  const methods = Object.entries(paths).flatMap(([template, item]) => (fits(template) ? Object.keys(item) : []));
  expect(methods).toContain(method);
});

const scripts = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(readText("package.json"))).scripts;

test("every npm command in the pages exists", () => {
  const code = pages.flatMap((page) => [
    ...blocksOf(page).map(({ text }) => text),
    ...[...readText(page).matchAll(/`(npm [^`\n]+)`/g)].map(String),
  ]);
  const named = code.flatMap((text) => [...text.matchAll(/\bnpm (?:run )?([a-z][a-z:-]*)/g)].map((match) => match[1] ?? ""));
  const builtIn = ["ci", "install", "exec", "version", "publish", "audit", "run", "pack"];
  expect(named).toEqual(expect.arrayContaining(["start", "test", "verify"]));
  expect(named.filter((name) => !(name in scripts) && !builtIn.includes(name))).toEqual([]);
});

test("no committed file names a path of somebody's machine", () => {
  const own = /(?<![\w.$}/:-])\/(?:work|root|home|Users)\/[\w.-]+/;
  const texts = repositoryFiles().filter((path) => !/\.(png|ico|woff2?|gz)$|^(LICENSE|Dockerfile|package-lock\.json)$/.test(path));
  const found = texts.flatMap((path) => {
    const line = readText(path)
      .split("\n")
      .findIndex((text) => own.test(text));
    return line < 0 ? [] : [`${path}:${line + 1}`];
  });
  expect(found).toEqual([]);
});
