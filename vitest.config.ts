import { createRequire } from "node:module";
import { defineConfig } from "vitest/config";

// Vite would take graphql's ES build where Node takes its CommonJS one: two copies in one process refuse each other's schemas.
const alias = { graphql: createRequire(import.meta.url).resolve("graphql") };

// LangGraph's checkpoint conformance suite uses the global describe/it/expect, hence `globals` for its project only.
export default defineConfig({
  test: {
    environment: "node",
    projects: [
      // Everything that is not named below, so that no folder is forgotten.
      {
        resolve: { alias },
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/{contract,emulator,api,deploy,e2e,chaos}/**"] },
      },
      { test: { name: "contract", include: ["test/contract/**/*.test.ts"], globals: true, testTimeout: 30_000 } },
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
      { resolve: { alias }, test: { name: "api", include: ["test/api/**/*.test.ts"], testTimeout: 20_000 } },
      { resolve: { alias }, test: { name: "deploy", include: ["test/deploy/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 } },
      { resolve: { alias }, test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
});
