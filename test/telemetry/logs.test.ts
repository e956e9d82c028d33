import { expect, test } from "vitest";
import { createLogger, type LoggerOptions } from "../../src/log.ts";

function linesOf(options: Partial<LoggerOptions>, write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger({ level: "info", destination: { write: (line) => void lines.push(line) }, ...options }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a line is what Google Cloud Logging reads, linked to its trace", () => {
  const [line] = linesOf({ project: "acme" }, (logger) =>
    logger.warn({ executionId: "e1", traceId: "ab".repeat(16), spanId: "cd".repeat(8) }, "step.failed"),
  );
  expect(line).toMatchObject({
    severity: "WARNING",
    message: "step.failed",
    executionId: "e1",
    "logging.googleapis.com/trace": `projects/acme/traces/${"ab".repeat(16)}`,
    "logging.googleapis.com/spanId": "cd".repeat(8),
  });
  expect(Date.parse(String(line?.["timestamp"]))).toBeGreaterThan(0);
  expect(line).not.toHaveProperty("traceId");
});

test.each([
  ["in a field", (secret: string) => ({ header: `key ${secret}` })],
  ["deep in a field", (secret: string) => ({ a: { b: [secret] } })],
  ["in an error's message and stack", (secret: string) => ({ err: new Error(`401 for ${secret}`) })],
  ["as a field's name", (secret: string) => ({ [secret]: 1 })],
])("a secret is taken out of a line by value: %s", (_where, fields) => {
  const secret = 'pass"word\\with everything\n';
  const lines = linesOf({ secrets: new Set([secret]) }, (logger) => logger.error(fields(secret), `failed with ${secret}`));
  expect(JSON.stringify(lines)).not.toContain("word");
  expect(lines[0]?.["message"]).toBe("failed with [redacted]");
});

test("credentials are known by their look, too", () => {
  const jwt = ["eyJhbGciOiJFUzI1NiJ9", "eyJzdWIiOiJhZGEifQ", "c2lnbmF0dXJl"].join(".");
  const text = JSON.stringify(
    linesOf({}, (logger) => logger.error({ authorization: `Bearer ${jwt}`, token: jwt, key: `sk-${"a1".repeat(16)}` }, "refused")),
  );
  expect(text.match(/\[redacted\]/g)).toHaveLength(3);
  expect(text).not.toMatch(/eyJ|a1a1/);
});

test("ordinary ids and words stay as they are", () => {
  const [line] = linesOf({ secrets: new Set(["short"]) }, (logger) =>
    logger.info({ executionId: "0d9f6c2e-0001-4a4e-9bb1-1d2f3a4b5c6d", step: "short" }, "ask-the-bearer"),
  );
  expect(line).toMatchObject({ executionId: "0d9f6c2e-0001-4a4e-9bb1-1d2f3a4b5c6d", step: "short", message: "ask-the-bearer" });
});

test("a secret that is read while the service runs is taken out from then on", () => {
  const secrets = new Set(["configured-1"]);
  const lines = linesOf({ secrets }, (logger) => {
    logger.info({ key: "read-later-1" }, "before");
    secrets.add("read-later-1");
    logger.info({ key: "read-later-1", other: "configured-1" }, "after");
  });
  expect(lines[1]).toMatchObject({ key: "[redacted]", other: "[redacted]" });
});
