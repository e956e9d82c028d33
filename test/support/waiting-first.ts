import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Projects whose tests start processes and emulators and mostly wait for them. */
const WAITING = new Set(["deploy", "e2e", "emulator"]);

/** What takes longest, first: begun last, it would run alone at the end. */
const LONGEST = [
  "emulator/chaos",
  "emulator/pubsub-pods",
  "e2e/kill/kill",
  "life-cycle/rolling-restart",
  "emulator/faults",
  "emulator/pubsub-queue",
  "emulator/checkpointer",
  "e2e/triggers",
  "emulator/store",
  "emulator/emulators",
  "life-cycle/stop",
  "contract/sqlite-checkpointer",
];

/**
 * Spreads the files that compute among those that wait, so that neither the processor nor the workers idle: one project after the
 * other, as Vitest has it, took twice as long on two cores.
 */
export class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = (await super.sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b));
    const waiting = sorted.filter(({ project }) => WAITING.has(project.name));
    const computing = sorted.filter(({ project }) => !WAITING.has(project.name));
    if (waiting.length === 0) return computing;
    const each = Math.ceil(computing.length / waiting.length);
    return waiting.flatMap((file, index) => [file, ...computing.slice(index * each, (index + 1) * each)]);
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST.findIndex((part) => moduleId.includes(part));
  return rank === -1 ? LONGEST.length : rank;
}
