import type { z } from "zod";
import type { Issue } from "../../errors.ts";
import type { NextStep, Step } from "../step.ts";

/** What the checker needs to know of step types; the registry fits it. */
export interface StepCatalog {
  /** By name or by alias. */
  get(type: string): CatalogType | undefined;
  list(): readonly CatalogType[];
}

/** The part of a step type that says what a definition may hold; `StepType` in `src/steps/step.ts` fits it. */
export interface CatalogType {
  type: string;
  aliases?: readonly string[];
  config: z.ZodType;
  /** True: asks nobody outside. */
  pure?: boolean;
  expressions?: readonly string[];
  literal?: readonly string[];
  routes?(config: unknown): NextStep[];
  regions?(config: unknown): Region[];
  check?(config: unknown, step: Step): Issue[];
}

/** A part of the graph with one way in and one way out: starts at `start`, ends where it would enter `end`. */
export interface Region {
  name: string;
  start: string;
  end: string | null;
}
