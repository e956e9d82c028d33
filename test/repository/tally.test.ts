import { expect, test } from "vitest";
import { countTests } from "../../scripts/verify/tally.ts";

const report = (fields: object) =>
  JSON.stringify({ numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [], ...fields });

test("passed, failed and skipped tests are counted", () => {
  const file = { status: "failed", assertionResults: [{ status: "failed" }, { status: "passed" }] };
  expect(countTests(report({ numFailedTests: 1, numPendingTests: 2, testResults: [file] }), 1)).toEqual({
    passed: 3,
    failed: 1,
    skipped: 2,
  });
});

test("a test file that cannot be loaded is a failure", () => {
  const file = { status: "failed", assertionResults: [] };
  expect(countTests(report({ testResults: [file] }), 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
});

test("a run that ends badly is a failure although every test passed", () => {
  expect(countTests(report({}), 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
});

test("a run without a report is a failure", () => {
  expect(countTests(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
