import type { CheckpointPendingWrite, PendingWrite } from "@langchain/langgraph-checkpoint";
import { WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { Place, type PackedReader, type Placement } from "./value-placement.ts";

/** One write of a task. `index` is its position, or LangGraph's negative number of a special channel. */
export interface TaskWrite {
  task: string;
  channel: string;
  index: number;
  value: unknown;
}

/** Task writes as a packed document holds them. */
export const TaskWriteIndex = z.array(z.tuple([z.string(), z.string(), z.number().int(), Place]));
export type TaskWriteIndex = z.infer<typeof TaskWriteIndex>;

export function taskWrites(task: string, writes: readonly PendingWrite[]): TaskWrite[] {
  return writes.map(([channel, value], position) => ({ task, channel, value, index: WRITES_IDX_MAP[channel] ?? position }));
}

export function placeTaskWrites(placement: Placement, writes: readonly TaskWrite[]): TaskWriteIndex {
  return writes.map(({ task, channel, index, value }) => [task, channel, index, placement.add(value)]);
}

export function readTaskWrites(reader: PackedReader, index: TaskWriteIndex): TaskWrite[] {
  return index.map(([task, channel, position, place]) => ({ task, channel, index: position, value: reader.value(place) }));
}

/**
 * LangGraph's rule over all writes of a checkpoint, oldest first: of an ordinary write the first counts, of a special channel the
 * last. In the order of (task, position).
 */
export function pendingWrites(writes: readonly TaskWrite[]): CheckpointPendingWrite[] {
  const kept = new Map<string, TaskWrite>();
  for (const write of writes) {
    const key = `${write.index}:${write.task}`;
    if (write.index < 0 || !kept.has(key)) kept.set(key, write);
  }
  return [...kept.values()]
    .toSorted((a, b) => (a.task === b.task ? a.index - b.index : a.task < b.task ? -1 : 1))
    .map(({ task, channel, value }) => [task, channel, value]);
}
