import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { ADDITIONS } from "../../src/adapters/sqlite/additions.ts";
import { openForWriting } from "../../src/adapters/sqlite/database.ts";
import { MIGRATIONS } from "../../src/adapters/sqlite/schema.ts";

const GOLDEN = join(import.meta.dirname, "..", "fixtures", "golden");
const folder = mkdtempSync(join(tmpdir(), "signalbox-additions-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface SchemaRow {
  type: string;
  name: string;
  tbl_name: string;
  sql: string | null;
}

/** What is in a database, in order; its rows are what SQLite itself keeps. */
function schemaOf(database: DatabaseSync): SchemaRow[] {
  return database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").all() as unknown as SchemaRow[];
}

/** Why the version before this one, which knows the numbered schema alone, could not work with a file that has these additions. */
function additionFindings(additions: readonly string[]): string[] {
  using database = new DatabaseSync(":memory:");
  for (const migration of MIGRATIONS) database.exec(migration);
  const numbered = schemaOf(database);
  const tables = new Set(numbered.filter(({ type }) => type === "table").map(({ name }) => name));
  const findings: string[] = [];
  for (const addition of additions) {
    database.exec(addition);
    const once = schemaOf(database);
    try {
      database.exec(addition);
    } catch (error) {
      findings.push(`NOT_TWICE ${String(error)}`);
    }
    if (JSON.stringify(schemaOf(database)) !== JSON.stringify(once)) findings.push(`NOT_TWICE ${addition.trim()}`);
  }
  const after = schemaOf(database);
  for (const row of numbered)
    if (after.find(({ name }) => name === row.name)?.sql !== row.sql) findings.push(`CHANGED ${row.name}: it wrote and read it as it was`);
  for (const { type, name, tbl_name: table, sql } of after.filter((row) => numbered.every((known) => known.name !== row.name))) {
    if (type === "trigger" && tables.has(table)) findings.push(`TRIGGER ${name}: runs in its writes of ${table}`);
    if (type === "index" && tables.has(table) && /^CREATE UNIQUE/i.test(sql ?? ""))
      findings.push(`UNIQUE ${name}: refuses its writes of ${table}`);
  }
  return findings;
}

test("additions run again and again, and leave what the version before reads and writes as it was", () => {
  expect(additionFindings(ADDITIONS)).toEqual([]);
});

test.each([
  ["CREATE TABLE seeded (id TEXT)", /^NOT_TWICE/],
  ["ALTER TABLE inbox ADD COLUMN kind TEXT", /^CHANGED inbox/],
  ["DROP INDEX IF EXISTS inbox_by_time", /^CHANGED inbox_by_time/],
  ["CREATE UNIQUE INDEX IF NOT EXISTS seeded ON inbox (sent_at)", /^UNIQUE seeded/],
  ["CREATE TRIGGER IF NOT EXISTS seeded AFTER INSERT ON inbox BEGIN SELECT 1; END", /^TRIGGER seeded/],
])("a seeded mistake is named: %s", (addition, finding) => {
  expect(additionFindings([...ADDITIONS, addition])).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
});

test.each(readdirSync(GOLDEN).filter((name) => name.endsWith(".db")))(
  "%s opens, and is still open to the version that wrote it",
  (name) => {
    const file = join(folder, name);
    copyFileSync(join(GOLDEN, name), file);
    const versionOf = (): unknown => {
      using database = new DatabaseSync(file);
      return database.prepare("PRAGMA user_version").get()?.["user_version"];
    };
    const written = versionOf();
    openForWriting(file).close();
    openForWriting(file).close();
    expect(versionOf()).toBe(written);
  },
);
