import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { configurationPage } from "./docs/configuration-page.ts";
import { errorIndexPage } from "./docs/error-index-page.ts";

const ROOT = join(import.meta.dirname, "..");

/** Pages that say what a table in src/ says; `--check` only compares. */
const PAGES: readonly (readonly [file: string, content: () => string])[] = [
  ["docs/configuration.md", configurationPage],
  ["docs/errors/README.md", errorIndexPage],
];

const isCheck = process.argv.includes("--check");
for (const [file, content] of PAGES) {
  const target = join(ROOT, file);
  const wanted = content();
  if ((await readFile(target, "utf8").catch(() => "")) === wanted) continue;
  if (isCheck) {
    console.error(`${file} does not fit src/; run npm run generate`);
    process.exitCode = 1;
  } else {
    await writeFile(target, wanted);
    console.log(`wrote ${file}`);
  }
}
