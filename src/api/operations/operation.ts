import { z } from "zod";
import type { Principal, Scope } from "../../definition/access.ts";
import type { Events } from "../../events/events.ts";
import type { Page } from "../../definition/page.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import type { StepTypes } from "../../registry.ts";
import type { TriggerManager } from "../../triggers/manager.ts";
import type { Webhooks } from "../../webhooks/webhooks.ts";
import type { WorkflowManager } from "../../workflows/manager.ts";

/** What operations work on; the composition root gives it. */
export interface Services {
  executor: Executor;
  workflows: WorkflowManager;
  triggers: TriggerManager;
  events: Events;
  webhooks: Webhooks;
  store: Store;
  stepTypes: StepTypes;
  clock: Clock;
}

/** What one call knows beside its input. */
export interface CallContext {
  services: Services;
  principal: Principal;
  /** When the credentials end, epoch milliseconds; null: no end is known. */
  expiresAt: number | null;
  /** W3C `traceparent` the request came with. */
  traceparent?: string | undefined;
  /** Aborted when the caller goes away, its credentials end or the service closes; made on first use, because most calls never look. */
  signal: () => AbortSignal;
}

export type Noun =
  | "workflows"
  | "executions"
  | "approvals"
  | "decisions"
  | "memories"
  | "triggers"
  | "events"
  | "event types"
  | "parked events"
  | "tasks"
  | "webhooks"
  | "step types"
  | "system";
export type Method = "GET" | "POST" | "PUT" | "DELETE";
export type Route = `${Method} /api/v1/${string}`;

/** Where REST puts an input field that travels as a header. */
export interface HeaderField {
  header: string;
  description: string;
  /** The field's text in the header's text; undefined where the header does not speak of it. */
  read?: (text: string) => string | undefined;
}

/** What REST adds to an answer. */
export interface ReplyHints {
  status?: number;
  headers?: Record<string, string>;
}

/** One operation of the API: REST, OpenAPI and GraphQL are projections of it. */
export interface Operation {
  /** GraphQL field and OpenAPI operationId. */
  name: string;
  summary: string;
  noun: Noun;
  kind: "query" | "mutation";
  scope: Scope;
  /** Path parameters, headers and the query string are input fields; the body is the field `input`, else the remaining fields. */
  route: Route;
  status: 200 | 201 | 202;
  input: z.ZodObject;
  output: z.ZodType;
  /** Element type of a list: GraphQL answers with the bare list, and with the page under `<name>Page`. */
  items?: z.ZodType;
  headers?: Record<string, HeaderField>;
  /** Other names of body keys. */
  bodyAliases?: Record<string, string>;
  errors?: readonly ErrorCode[];
  handle(context: CallContext, input: unknown): Promise<unknown>;
  /** Fills what REST shows in one go and GraphQL resolves only when it is asked for. */
  expand?(context: CallContext, handled: unknown[]): Promise<unknown[]>;
  reply?(output: unknown, input: unknown): ReplyHints;
}

interface Declaration<S extends z.ZodObject, H, O> extends Omit<Operation, "input" | "output" | "items" | "handle" | "expand" | "reply"> {
  input: S;
  handle(context: CallContext, input: z.output<S>): Promise<H>;
  expand?(context: CallContext, handled: H[]): Promise<O[]>;
  reply?(output: O, input: z.output<S>): ReplyHints;
}

/** Declares an operation that answers with one thing. */
export function defineOperation<S extends z.ZodObject, H, O = H>(declaration: Declaration<S, H, O> & { output: z.ZodType<O> }): Operation {
  return declaration;
}

interface ListDeclaration<S extends z.ZodObject, H, O> extends Omit<Declaration<S, H, O>, "handle" | "reply"> {
  items: z.ZodType<O>;
  pageName: string;
  handle(context: CallContext, input: z.output<S>): Promise<Page<H>>;
}

/** Declares an operation that answers with a page of things. */
export function defineList<S extends z.ZodObject, H, O = H>({ pageName, ...declaration }: ListDeclaration<S, H, O>): Operation {
  const output = z
    .object({ items: z.array(declaration.items), nextPageToken: z.string().optional().describe("Absent on the last page") })
    .meta({ id: pageName });
  return { ...declaration, output };
}

/** A live operation: a GraphQL subscription. It ends by itself, or when `signal` aborts. */
export interface Subscription {
  name: string;
  summary: string;
  scope: Scope;
  input: z.ZodObject;
  output: z.ZodType;
  subscribe(context: CallContext, input: unknown, signal: AbortSignal): AsyncIterable<unknown>;
}

interface SubscriptionDeclaration<S extends z.ZodObject, O> extends Omit<Subscription, "input" | "output" | "subscribe"> {
  input: S;
  output: z.ZodType<O>;
  subscribe(context: CallContext, input: z.output<S>, signal: AbortSignal): AsyncIterable<O>;
}

export function defineSubscription<S extends z.ZodObject, O>(declaration: SubscriptionDeclaration<S, O>): Subscription {
  return declaration;
}

/** An id in a path: what no resource has is answered with NOT_FOUND, not with a lecture on its form. */
export const PathId = z.string().min(1).max(255);
