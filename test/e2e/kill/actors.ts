import { setTimeout as pause } from "node:timers/promises";
import type { EventEmitter } from "node:events";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import type { Client } from "./client.ts";
import { watch, type Watched } from "./follower.ts";
import type { Dice } from "./random.ts";
import type { Run } from "./workflows.ts";

/** What the harness knows of an execution it started. */
export interface Started {
  run: Run;
  id: string;
  /** Every id the service gave for the one idempotency key. */
  ids: Set<string>;
  tries: number;
  watched: Watched;
  watching: Promise<void>;
  /** Statuses the service confirmed for what else was asked of it. */
  confirmed: { verb: string; status: number }[];
}

export interface Happenings {
  accepted: [];
  /** An approval was answered. */
  said: [];
  event: [ExecutionEvent];
}

interface ActorOptions {
  client: Client;
  dice: Dice;
  signal: AbortSignal;
  on: EventEmitter<Happenings>;
}

/** Starts one execution with an idempotency key, until it is accepted, and then once more; watches it; cancels or pauses it. */
export async function start(run: Run, { client, dice, signal, on }: ActorOptions): Promise<Started> {
  const request = [
    "POST",
    `/api/v1/workflows/${run.workflowId}/execute`,
    { input: { run: run.run } },
    { "idempotency-key": `key-${run.run}` },
  ] as const;
  const first = await client.insist(...request);
  if (first.status !== 202) throw new Error(`${run.run} was refused with ${first.status}: ${JSON.stringify(first.body)}`);
  on.emit("accepted");
  const id = String(first.body["id"]);
  const { seen, done } = watch(
    () => `${client.baseUrl()}/api/v1/executions/${id}/events`,
    signal,
    (event) => on.emit("event", event),
  );
  const started: Started = { run, id, ids: new Set([id]), tries: first.tries, watched: seen, watching: done, confirmed: [] };
  const again = await client.insist(...request);
  started.ids.add(String(again.body["id"]));
  if (run.kind === "cancelled") await ask(started, "cancel");
  if (run.kind === "paused") {
    await ask(started, "pause");
    await ask(started, "resume");
  }
  return started;

  async function ask({ confirmed }: Started, verb: string): Promise<void> {
    await pause(dice.between(20, 600));
    const key = { "idempotency-key": `${verb}-${run.run}` };
    const { status } = await client.insist("POST", `/api/v1/executions/${id}/${verb}`, {}, key);
    confirmed.push({ verb, status });
  }
}
