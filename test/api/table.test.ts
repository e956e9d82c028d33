import { readFile } from "node:fs/promises";
import { validate } from "@scalar/openapi-parser";
import { buildSchema, parse, type DocumentNode } from "graphql";
import { expect, test } from "vitest";
import { OPERATIONS, SUBSCRIPTIONS } from "../../src/api/operations/index.ts";
import { createOpenApi } from "../../src/api/openapi.ts";
import { createSdl } from "../../src/api/sdl.ts";
import { createGraphQLSchema } from "../../src/api/graphql/schema.ts";

const root = new URL("../../", import.meta.url);

test("the checked-in schema files are what the table says", async () => {
  expect(await readFile(new URL("graphql/schema.graphql", root), "utf8")).toBe(createSdl());
  expect(JSON.parse(await readFile(new URL("docs/openapi.json", root), "utf8"))).toEqual(createOpenApi());
});

test("the SDL is a valid schema and every field of it has its operation", () => {
  expect(() => createGraphQLSchema()).not.toThrow();
});

test("the SDL holds the fixed fields with their names and nullability", () => {
  const schema = buildSchema(createSdl());
  const fields = new Map(
    [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap((type) =>
      Object.values(type?.getFields() ?? {}).map((field) => [`${type?.name}.${field.name}`, field] as const),
    ),
  );
  // Word for word what was promised to clients; further arguments may only be optional ones.
  const promised = `
    type Query {
      workflow(id: ID!): Workflow
      workflows(filter: WorkflowFilter): [Workflow!]!
      execution(id: ID!): WorkflowExecution
      executions(filter: ExecutionFilter): [WorkflowExecution!]!
    }
    type Mutation {
      createWorkflow(input: WorkflowInput!): Workflow!
      updateWorkflow(id: ID!, input: WorkflowInput!): Workflow!
      executeWorkflow(id: ID!, input: ExecutionInput!): WorkflowExecution!
    }
    type Subscription {
      workflowStatus(executionId: ID!): ExecutionStatus!
      executionEvents(executionId: ID!, afterSeq: Int): [ExecutionEvent!]!
    }`;
  for (const { type, field, args, output } of fieldsOf(parse(promised))) {
    const present = fields.get(`${type}.${field}`);
    expect(String(present?.type), `${type}.${field}`).toBe(output);
    const presentArgs = new Map(present?.args.map((argument) => [argument.name, String(argument.type)]));
    for (const [name, argumentType] of args) expect(presentArgs.get(name), `${type}.${field}(${name})`).toBe(argumentType);
    const added = [...presentArgs].filter(([name]) => !args.has(name));
    expect(added.filter(([, argumentType]) => argumentType.endsWith("!"))).toEqual([]);
  }
  expect(String(schema.getType("ExecutionStatus")?.astNode?.kind)).toBe("EnumTypeDefinition");
});

test("execution events have their fixed fields on GraphQL and in OpenAPI", () => {
  const fields = ["seq", "at", "type", "stepId", "visit", "branch", "attempt", "summary", "data"];
  const event = buildSchema(createSdl()).getType("ExecutionEvent");
  expect(event && "getFields" in event && Object.keys(event.getFields())).toEqual(fields);
  const document = createOpenApi() as unknown as { components: { schemas: Record<string, { properties: object }> } };
  expect(Object.keys(document.components.schemas["ExecutionEvent"]?.properties ?? {})).toEqual(fields);
});

test("the OpenAPI document is valid and every reference in it has its target", async () => {
  const document = createOpenApi();
  const { valid, errors } = await validate(structuredClone(document));
  expect(errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  const { schemas } = document["components"] as { schemas: Record<string, unknown> };
  const targets = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(targets.filter((target) => !(target.replace("#/components/schemas/", "") in schemas))).toEqual([]);
});

test("every operation says how it is refused", () => {
  const document = createOpenApi() as unknown as {
    paths: Record<string, Record<string, { operationId: string; responses: Record<string, { content: object }> }>>;
  };
  const described = Object.values(document.paths).flatMap((path) => Object.values(path));
  expect(described.map(({ operationId }) => operationId).toSorted()).toEqual(OPERATIONS.map(({ name }) => name).toSorted());
  for (const { operationId, responses } of described) {
    for (const status of ["400", "403", "500", "503"]) {
      expect(Object.keys(responses[status]?.content ?? {}), `${operationId} ${status}`).toEqual(["application/problem+json"]);
    }
  }
});

test("names and routes of operations are unique, and path parameters are input fields", () => {
  const names = [...OPERATIONS, ...SUBSCRIPTIONS].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(OPERATIONS.map(({ route }) => route)).size).toBe(OPERATIONS.length);
  for (const { route, input } of OPERATIONS) {
    for (const [, name = ""] of route.matchAll(/:(\w+)/g)) expect(Object.keys(input.shape), route).toContain(name);
  }
});

function fieldsOf(document: DocumentNode) {
  return document.definitions.flatMap((definition) => {
    if (definition.kind !== "ObjectTypeDefinition") return [];
    return (definition.fields ?? []).map((field) => ({
      type: definition.name.value,
      field: field.name.value,
      args: new Map((field.arguments ?? []).map((argument) => [argument.name.value, printType(argument.type)])),
      output: printType(field.type),
    }));
  });
}

function printType(type: { loc?: { source: { body: string }; start: number; end: number } | undefined }): string {
  return type.loc ? type.loc.source.body.slice(type.loc.start, type.loc.end) : "";
}
