/**
 * What later versions added beside the numbered schema, each statement harmless where it ran before. The version before this one opens
 * the same file and leaves alone what it does not know, so a rolling upgrade and the way back need no stop. What it could not live
 * with (a column that must be filled, a changed meaning) is a migration in `schema.ts` instead.
 */
export const ADDITIONS: readonly string[] = [];
