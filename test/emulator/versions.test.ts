import { describe, expect, inject, test } from "vitest";
import { mixVersions, PREVIOUS } from "../e2e/mixed/mix.ts";
import { emulated, newProject } from "./projects.ts";

describe.runIf(emulated && PREVIOUS !== undefined)("two versions on one Firestore", () => {
  test("the version before and this one finish each other's executions and leave alone what they do not know", async () => {
    const env = { FIRESTORE_EMULATOR_HOST: inject("emulators")?.firestore ?? "", METADATA_SERVER_DETECTION: "none" };
    expect(await mixVersions({ store: `firestore:${newProject()}`, env })).toEqual({ finished: 24, left: 4 });
  }, 300_000);
});
