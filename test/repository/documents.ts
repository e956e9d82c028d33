import { posix } from "node:path";
import { readText, repositoryFiles } from "./source.ts";

/** The pages people read. */
export const pages = repositoryFiles().filter((path) => path.endsWith(".md") && !path.startsWith("test/"));

export interface Block {
  /** `README.md:42` */
  place: string;
  language: string;
  text: string;
}

/** Fenced blocks of a page, with the line they begin at. */
export function blocksOf(page: string): Block[] {
  const text = readText(page);
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```/gm)].map((match) => ({
    place: `${page}:${text.slice(0, match.index).split("\n").length}`,
    language: match[1] ?? "",
    text: match[2] ?? "",
  }));
}

export interface Link {
  place: string;
  /** From the top folder. */
  path: string;
  anchor: string | undefined;
}

/** Links and pictures of a page that point into the repository. */
export function linksOf(page: string): Link[] {
  const prose = readText(page)
    .replace(/^```[^]*?^```/gm, "")
    .replace(/`[^`\n]*`/g, "");
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g), ...prose.matchAll(/\b(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
  return targets
    .filter((target) => !/^(https?:|mailto:)/.test(target))
    .map((target) => {
      const [path = "", anchor] = target.split("#");
      return { place: page, path: path === "" ? page : posix.join(posix.dirname(page), path), anchor };
    });
}

/** Anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): string[] {
  const headings = readText(page)
    .replace(/^```[^]*?^```/gm, "")
    .matchAll(/^#{1,6} (.+)$/gm);
  return [...headings].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );
}
