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
];

/**
 * Files that wait come first and side by side, the longest of them in front; files that compute follow, project by project, because a
 * process is only kept for the next file of its project.
 */
export class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return await Promise.resolve(
      files.toSorted((a, b) => rankOf(a) - rankOf(b) || compare(a.project.name, b.project.name) || compare(a.moduleId, b.moduleId)),
    );
  }
}

function rankOf({ moduleId, project }: TestSpecification): number {
  const rank = LONGEST.findIndex((part) => moduleId.includes(part));
  if (rank !== -1) return rank;
  return WAITING.has(project.name) ? LONGEST.length : LONGEST.length + 1;
}

function compare(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}
