import { deleteThread, putCheckpoints } from "./checkpoint-operations.ts";
import type { Database } from "./database.ts";
import { commitExecution, createExecution } from "./execution-operations.ts";
import {
  addParked,
  addReceived,
  deleteExpiredEvents,
  putEventType,
  removeEventType,
  setResult,
  settleParked,
} from "./inbound-operations.ts";
import { deleteMemory } from "./memories.ts";
import { sendMessage } from "./inbox-operations.ts";
import { markRelayed } from "./relay-operations.ts";
import { deleteExpired } from "./retention.ts";
import { putSchedule, removeSchedule } from "./schedule-operations.ts";
import { answerWait, leaseWait, voteOnWait } from "./wait-operations.ts";
import { putDelivery, putEndpoint, removeEndpoint } from "./webhook-operations.ts";
import { createWorkflow, updateWorkflow } from "./workflow-operations.ts";

/** Every write there is. Each is one function of the database and a plain argument, the same in the writer's thread and in process. */
export const OPERATIONS = {
  createWorkflow,
  updateWorkflow,
  createExecution,
  commitExecution,
  markRelayed,
  sendMessage,
  answerWait,
  voteOnWait,
  leaseWait,
  deleteMemory,
  putSchedule,
  putEndpoint,
  removeEndpoint,
  putDelivery,
  removeSchedule,
  addReceived,
  setResult,
  addParked,
  settleParked,
  putEventType,
  removeEventType,
  deleteExpiredEvents,
  putCheckpoints,
  deleteThread,
  deleteExpired,
  /** Changes nothing: whoever gets an answer knows that the writer is there. */
  ping: () => null,
} as const satisfies Record<string, (database: Database, argument: never) => unknown>;

export type OperationName = keyof typeof OPERATIONS;
export type ArgumentOf<N extends OperationName> = Parameters<(typeof OPERATIONS)[N]>[1];
export type ResultOf<N extends OperationName> = ReturnType<(typeof OPERATIONS)[N]>;
