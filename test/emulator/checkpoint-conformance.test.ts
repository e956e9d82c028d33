import { describe } from "vitest";
import { deltaChannelHistoryTests, validate } from "@langchain/langgraph-checkpoint-validation";
import { FirestoreSaver } from "../../src/adapters/firestore/checkpointer.ts";
import { emulated, newProject } from "./projects.ts";

describe.runIf(emulated)("LangGraph's conformance suite", () => {
  // `list` without a thread expects only its own rows: a project for each checkpointer.
  const initializer = {
    checkpointerName: "FirestoreSaver",
    createCheckpointer: () => new FirestoreSaver({ firestore: { project: newProject() } }),
  };
  validate(initializer);
  deltaChannelHistoryTests(initializer);
});
