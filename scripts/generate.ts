import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { createOpenApi } from "../src/api/openapi.ts";
import { createSdl } from "../src/api/sdl.ts";

const ROOT = path.join(import.meta.dirname, "..");

/** Files that are projections of the operation table. */
const FILES: readonly (readonly [file: string, content: () => string])[] = [
  ["graphql/schema.graphql", createSdl],
  ["docs/openapi.json", () => `${JSON.stringify(createOpenApi(), null, 2)}\n`],
];

const isCheck = process.argv.includes("--check");
for (const [file, content] of FILES) {
  const target = path.join(ROOT, file);
  const wanted = content();
  const present = await readFile(target, "utf8").catch(() => "");
  if (present === wanted) continue;
  if (isCheck) {
    console.error(`${file} does not fit the operation table; run npm run generate`);
    process.exitCode = 1;
  } else {
    await writeFile(target, wanted);
    console.log(`wrote ${file}`);
  }
}
