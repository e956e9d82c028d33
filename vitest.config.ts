import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { WaitingFirst } from "./test/support/waiting-first.ts";

// Vite would take graphql's ES build where Node takes its CommonJS one: two copies in one process refuse each other's schemas.
const alias = { graphql: createRequire(import.meta.url).resolve("graphql") };

// Files of one project share a process and what it has loaded: 60 files of `unit` take 59 s of CPU instead of 147 s. They keep no state in
// modules, and what they change outside (the environment) they put back.
const shared = { isolate: false } as const;

// LangGraph's checkpoint conformance suite uses the global describe/it/expect, hence `globals` for its project only.
export default defineConfig({
  test: {
    environment: "node",
    // Each file keeps about one core busy, with the processes it starts.
    maxWorkers: Math.max(2, availableParallelism()),
    sequence: { sequencer: WaitingFirst },
    projects: [
      // Everything that is not named below, so that no folder is forgotten.
      {
        resolve: { alias },
        test: {
          ...shared,
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/{contract,emulator,api,deploy,e2e}/**"],
          testTimeout: 20_000,
        },
      },
      { test: { ...shared, name: "contract", include: ["test/contract/**/*.test.ts"], globals: true, testTimeout: 30_000 } },
      {
        test: {
          name: "emulator",
          include: ["test/emulator/**/*.test.ts"],
          globals: true,
          globalSetup: ["test/support/emulators.ts"],
          env: { METADATA_SERVER_DETECTION: "none" },
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      { resolve: { alias }, test: { ...shared, name: "api", include: ["test/api/**/*.test.ts"], testTimeout: 20_000 } },
      { resolve: { alias }, test: { name: "deploy", include: ["test/deploy/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 } },
      { resolve: { alias }, test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
});
