import { approval, approvals, decideApproval } from "./approvals.ts";
import { deadLetters, dismissDeadLetters, retryDeadLetters } from "./dead-letters.ts";
import { decision, decisions } from "./decisions.ts";
import { effects, settleEffect } from "./effects.ts";
import { checkpoints, events, stateAt, steps, storedValue } from "./execution-history.ts";
import { deleteEventType, eventType, eventTypes, putEventType } from "./event-types.ts";
import { publishEvents, receivedEvent, receivedEvents, replayEvents } from "./events.ts";
import { cancelExecution, dismissExecution, pauseExecution, resumeExecution, retryExecution, signalExecution } from "./execution-verbs.ts";
import { executeWorkflow, execution, executions } from "./executions.ts";
import { forgetMemory, memory } from "./memories.ts";
import { limitLine, limits } from "./limits.ts";
import type { Operation, Subscription } from "./operation.ts";
import { discardParkedEvent, parkedEvent, parkedEvents, redriveParkedEvent } from "./parked-events.ts";
import { stepTypes } from "./step-types.ts";
import { executionEvents, modelTokens, workflowStatus } from "./subscriptions.ts";
import { me } from "./system.ts";
import { completeTask, failTask, heartbeatTask, pollTasks, task, tasks } from "./tasks.ts";
import { disableTrigger, enableTrigger, fireTrigger, triggers } from "./triggers.ts";
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  redeliverWebhook,
  redeliverWebhooks,
  rotateWebhookSecret,
  testWebhookEndpoint,
  updateWebhookEndpoint,
  webhookDeliveries,
  webhookDelivery,
  webhookEndpoint,
  webhookEndpoints,
} from "./webhooks.ts";
import { createWorkflow, deleteWorkflow, updateWorkflow, validateWorkflow, workflow, workflows, workflowVersion } from "./workflows.ts";

/** The operation table: REST, OpenAPI, GraphQL and the schema files are read off it. */
export const OPERATIONS: readonly Operation[] = [
  createWorkflow,
  workflows,
  workflow,
  updateWorkflow,
  deleteWorkflow,
  workflowVersion,
  validateWorkflow,
  executeWorkflow,
  executions,
  execution,
  cancelExecution,
  pauseExecution,
  resumeExecution,
  retryExecution,
  dismissExecution,
  deadLetters,
  retryDeadLetters,
  dismissDeadLetters,
  signalExecution,
  limits,
  limitLine,
  events,
  steps,
  checkpoints,
  stateAt,
  storedValue,
  approvals,
  approval,
  decideApproval,
  effects,
  settleEffect,
  decisions,
  decision,
  memory,
  forgetMemory,
  triggers,
  enableTrigger,
  disableTrigger,
  fireTrigger,
  publishEvents,
  receivedEvents,
  receivedEvent,
  replayEvents,
  eventTypes,
  eventType,
  putEventType,
  deleteEventType,
  parkedEvents,
  parkedEvent,
  redriveParkedEvent,
  discardParkedEvent,
  tasks,
  task,
  pollTasks,
  heartbeatTask,
  completeTask,
  failTask,
  createWebhookEndpoint,
  webhookEndpoints,
  webhookEndpoint,
  updateWebhookEndpoint,
  deleteWebhookEndpoint,
  rotateWebhookSecret,
  testWebhookEndpoint,
  webhookDeliveries,
  webhookDelivery,
  redeliverWebhook,
  redeliverWebhooks,
  stepTypes,
  me,
];

export const SUBSCRIPTIONS: readonly Subscription[] = [workflowStatus, executionEvents, modelTokens];
