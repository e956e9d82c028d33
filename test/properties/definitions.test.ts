import fc from "fast-check";
import { expect, test } from "vitest";
import { cases } from "./definitions.ts";
import { createProperty } from "./property.ts";

/** `npm run properties` goes further: 5,000 definitions, any seed. */
const RUNS = 150;
const SEED = 4;

test("checker, reference and compiled graph agree on what a definition means", { timeout: 60_000 }, async () => {
  await using property = await createProperty();
  await fc.assert(
    fc.asyncProperty(cases, (given) => property.check(given)),
    { seed: SEED, numRuns: RUNS },
  );
  // The generator must hit all of them, or this says nothing.
  const { accepted, refused, completed, failed, races, joins } = property.tally;
  for (const hits of [accepted, refused, completed, failed, races, joins]) expect(hits).toBeGreaterThan(5);
});
