import type { Dice } from "./random.ts";
import type { Kind, Run } from "./workflows.ts";

/** What runs, in these shares: mostly work whose interruption shows. */
export const KILL_MIX: readonly Kind[] = [
  "prompts",
  "decisions",
  "approvals",
  "line",
  "delays",
  "decisions",
  "back-off",
  "prompts",
  "paused",
  "approvals",
  "cancelled",
  "failing",
];
/** Part of the kills during which executions are still started. */
const STARTING_SHARE = 0.9;
/** Part of the executions that are there from the beginning. */
const FIRST_SHARE = 0.25;
/** One round takes about 0.3 s, and so does what is left of a life after the start of the service. */
const ROUNDS_PER_KILL = 0.6;
const LEAST_ROUNDS = 3;
const OWN_WORKFLOW: readonly Kind[] = ["back-off", "failing"];

/** The executions of a trial, and after how many kills each is started. */
export function planRuns(dice: Dice, executions: number, kills: number, mix = KILL_MIX, rounds = roundsFor(kills)): Run[] {
  const kinds = dice.shuffled(Array.from({ length: executions }, (_, index) => mix[index % mix.length] ?? "line"));
  return kinds.map((kind, index) => {
    const run = `run-${String(index + 1).padStart(3, "0")}`;
    const workflowId = OWN_WORKFLOW.includes(kind) ? `${kind}-${run}` : kind;
    const share = Math.max(0, index / executions - FIRST_SHARE) / (1 - FIRST_SHARE);
    return { index, run, kind, workflowId, rounds, afterKills: Math.floor(share * kills * STARTING_SHARE) };
  });
}

function roundsFor(kills: number): number {
  return Math.max(LEAST_ROUNDS, Math.round(kills * ROUNDS_PER_KILL));
}
