import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";

/** Somebody outside an execution who hears of its events. */
export interface EventSink {
  /** Names it in logs and metrics. */
  readonly name: string;
  /** Whether it wants the event. Cheap: asked for every event, from what is known here, which may be some seconds old. */
  wants(execution: Execution, event: ExecutionEvent): boolean | Promise<boolean>;
  /**
   * Takes events of one execution, those it wants, in the order of their `seq`; resolves when it has all of them durably. The same
   * events may come again, after a crash or a failure. Rejects only with what may pass; what can never be taken is passed over.
   */
  take(execution: Execution, events: readonly ExecutionEvent[]): Promise<void>;
}

/** Told how handing on goes. */
export interface RelayObserver {
  /** A sink took an event, this long after it happened. */
  taken(sink: string, seconds: number): void;
  failed(sink: string): void;
}
