import type { z } from "zod";
import type { Issue } from "../../errors.ts";

/** What the checker needs to know of trigger types; `TriggerTypes` of `src/triggers/trigger-types.ts` fits it. */
export interface TriggerCatalog {
  get(type: string): CatalogTrigger | undefined;
  list(): readonly CatalogTrigger[];
}

/** The part of a trigger type that says what a definition may hold. */
export interface CatalogTrigger {
  type: string;
  config: z.ZodType;
  /** Further problems of a config that fits its schema, with pointers that start at `/config`. */
  check?(config: never): Issue[];
}
