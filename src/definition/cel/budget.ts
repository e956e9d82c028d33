/** Units of work of one evaluation; a unit is about one node evaluated, 30 to 100 ns. */
export const MAX_WORK = 1_000_000;

let remaining = 0;
let isCounting = false;

/** Thrown as one shared object: inside `exists` CEL swallows it and goes on, and a fresh stack per item costs more than the item. */
const exhausted = Object.assign(new Error(), {
  code: "too_much_work",
  summary: `The expression takes more than ${MAX_WORK.toLocaleString("en")} operations on this data; shorten the lists it walks`,
});

/**
 * Runs an evaluation inside the bound on work: the one of the caller where there is one (all expressions of a template share
 * it), else a new one. Deterministic, unlike a deadline: a replay after a crash ends the same way.
 */
export function withBudget<T>(evaluate: () => T): T {
  if (isCounting) return evaluateCounted(evaluate);
  isCounting = true;
  remaining = MAX_WORK;
  try {
    return evaluateCounted(evaluate);
  } finally {
    isCounting = false;
  }
}

function evaluateCounted<T>(evaluate: () => T): T {
  const value = evaluate();
  // CEL may have swallowed the error (`exists`, `||`): such an answer is made of a part of the data.
  if (remaining < 0) throw exhausted;
  return value;
}

/** Takes units from the running evaluation's budget. */
export function spend(units: number): void {
  remaining -= units;
  if (remaining < 0) throw exhausted;
}
