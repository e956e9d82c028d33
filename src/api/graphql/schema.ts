import { readFileSync } from "node:fs";
import DataLoader from "dataloader";
import { buildSchema, GraphQLObjectType, GraphQLScalarType, type GraphQLField, type GraphQLSchema } from "graphql";
import { SignalboxError, toSignalboxError } from "../../errors.ts";
import { callOperation, requireScope } from "../call.ts";
import { abortable } from "../live/abortable.ts";
import { OPERATIONS, SUBSCRIPTIONS } from "../operations/index.ts";
import type { CallContext, Operation, Subscription } from "../operations/operation.ts";
import { parseInput } from "../parse.ts";
import { withoutNulls } from "./arguments.ts";
import { toGraphQLError } from "./errors.ts";
import { jsonLiteral } from "./json-scalar.ts";
import { RELATIONS, type Relation } from "./relations.ts";

const SDL = new URL("../../../graphql/schema.graphql", import.meta.url);

/** What resolvers see of a request. */
export interface GraphQLContext {
  call: CallContext;
  /** One per relation and arguments, for the time of one request. */
  loaders: Map<string, DataLoader<string, unknown>>;
  /** Tells of unexpected errors, which clients see nothing of. */
  onInternalError(error: SignalboxError): void;
  /** Counts a subscription in; the returned function counts it out. LIMIT_EXCEEDED where there are too many. */
  enterSubscription?(): () => void;
}

/** The checked-in SDL with the operation table behind its fields; throws where the two do not fit. */
export function createGraphQLSchema(): GraphQLSchema {
  const schema = buildSchema(readFileSync(SDL, "utf8"));
  const json = schema.getType("JSON");
  if (json instanceof GraphQLScalarType) json.parseLiteral = jsonLiteral;
  for (const operation of OPERATIONS) {
    const type = operation.kind === "query" ? "Query" : "Mutation";
    const field = fieldOf(schema, type, operation.name);
    field.resolve = operationResolver(operation, operation.items ? (page) => (page as { items: unknown }).items : (handled) => handled); // lists answer with pages
    if (operation.input.shape["pageToken"])
      fieldOf(schema, type, `${operation.name}Page`).resolve = operationResolver(operation, (page) => page);
  }
  for (const relation of RELATIONS)
    fieldOf(schema, relation.type, relation.field).resolve = relationResolver(relation, fieldOf(schema, relation.type, relation.field));
  for (const subscription of SUBSCRIPTIONS) {
    const field = fieldOf(schema, "Subscription", subscription.name);
    field.subscribe = subscribeResolver(subscription);
    field.resolve = (payload) => payload;
  }
  return schema;
}

type Field = GraphQLField<unknown, GraphQLContext, Record<string, unknown>>;

function fieldOf(schema: GraphQLSchema, type: string, name: string): Field {
  const found = schema.getType(type);
  const field = found instanceof GraphQLObjectType ? found.getFields()[name] : undefined;
  if (!field) throw new SignalboxError("INTERNAL", `graphql/schema.graphql lacks ${type}.${name}; run npm run generate.`);
  return field;
}

function operationResolver(operation: Operation, pick: (handled: unknown) => unknown): NonNullable<Field["resolve"]> {
  return async (_root, args, context, { parentType, fieldName }) => {
    try {
      const declared = parentType.getFields()[fieldName]?.args ?? [];
      return pick((await callOperation(operation, context.call, withoutNulls(args, declared))).handled);
    } catch (error) {
      throw asGraphQL(error, context);
    }
  };
}

function relationResolver(relation: Relation, { args: declared }: Field): NonNullable<Field["resolve"]> {
  return async (parent, args, context) => {
    try {
      requireScope(
        context.call.principal,
        relation.type === "Workflow" && relation.field !== "executions" ? "workflows:read" : "executions:read",
      );
      const given = parseInput(relation.args, withoutNulls(args, declared));
      const key = `${relation.type}.${relation.field} ${JSON.stringify(given)}`;
      let loader = context.loaders.get(key);
      if (!loader) {
        loader = new DataLoader((keys: readonly string[]) => relation.load(context.call, keys, given).then((values) => [...values]));
        context.loaders.set(key, loader);
      }
      // The parent is one of our own views, so the key is there.
      return await loader.load((parent as Record<string, string>)[relation.by] as string);
    } catch (error) {
      throw asGraphQL(error, context);
    }
  };
}

function subscribeResolver(subscription: Subscription): NonNullable<Field["subscribe"]> {
  return async (_root, args, context, { parentType, fieldName }) => {
    try {
      requireScope(context.call.principal, subscription.scope);
      const input = parseInput(subscription.input, withoutNulls(args, parentType.getFields()[fieldName]?.args ?? []));
      const leave = context.enterSubscription?.();
      return abortable((signal) => guarded(subscription.subscribe(context.call, input, signal), context), leave);
    } catch (error) {
      throw asGraphQL(error, context);
    }
  };
}

async function* guarded(source: AsyncIterable<unknown>, context: GraphQLContext): AsyncGenerator {
  try {
    yield* source;
  } catch (error) {
    throw asGraphQL(error, context);
  }
}

function asGraphQL(error: unknown, context: GraphQLContext): Error {
  const known = toSignalboxError(error);
  if (known.code === "INTERNAL") context.onInternalError(known);
  return toGraphQLError(known);
}
