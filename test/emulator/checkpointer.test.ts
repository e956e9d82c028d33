import { FirestoreSaver } from "../../src/adapters/firestore/checkpointer.ts";
import { describe } from "vitest";
import { describeCheckpointer } from "../contract/checkpointer/checkpointer.suite.ts";
import { emulated, newProject } from "./projects.ts";

describe.runIf(emulated)("the checkpointer contract", () => {
  describeCheckpointer({
    name: "FirestoreSaver",
    // `list` without a thread expects only its own rows: a project for each saver.
    create: async () => new FirestoreSaver({ firestore: { project: newProject() } }),
    destroy: async (saver) => await saver.close(),
  });
});
