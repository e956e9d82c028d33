import { expect, test } from "vitest";
import { ERRORS } from "../../src/errors.ts";
import { readText, repositoryFiles } from "./source.ts";

const pages = repositoryFiles().filter((path) => /^docs\/errors\/[A-Z_]+\.md$/.test(path) && !path.endsWith("README.md"));

test("every error code has a page, and every page has a code", () => {
  expect(pages.map((path) => path.slice("docs/errors/".length, -".md".length))).toEqual(Object.keys(ERRORS).toSorted());
});

test.each(Object.entries(ERRORS))("the page of %s says its status, title and whether to retry", (code, { status, title, retryable }) => {
  const [heading, , facts] = readText(`docs/errors/${code}.md`).split("\n");
  expect(heading).toBe(`# ${code}`);
  expect(facts).toBe(`**${status}** · ${title} · ${retryable ? "retryable" : "not retryable"}`);
});

test.each(Object.keys(ERRORS))("the example on the page of %s is the error it is about", (code) => {
  const examples = [...readText(`docs/errors/${code}.md`).matchAll(/```json\n([^]*?)```/g)].map((match): unknown =>
    JSON.parse(match[1] ?? ""),
  );
  expect(examples).toContainEqual(expect.objectContaining({ code }));
});

test("the page of INVALID_DEFINITION lists exactly the codes of the checker's issues", () => {
  const checking = /^src\/(definition\/check\/|definition\/input-schema\.ts|workflows\/|steps\/)/;
  const code = /"([A-Z][A-Z_]{4,})"/g;
  const texts = repositoryFiles()
    .filter((path) => checking.test(path))
    .map(readText);
  const used = texts.flatMap((text) => [...text.matchAll(code)].map((match) => match[1] ?? "")).filter((name) => !(name in ERRORS));
  const listed = [...readText("docs/errors/INVALID_DEFINITION.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]);
  expect(listed.toSorted()).toEqual([...new Set(used)].toSorted());
});
