import { ERRORS, type ErrorCode } from "../errors.ts";
import { collectSchemas, nameOf, type Direction, type SchemaCollector, type SchemaNode } from "./json-schemas.ts";
import { OPERATIONS } from "./operations/index.ts";
import { events } from "./operations/execution-history.ts";
import type { Operation } from "./operations/operation.ts";
import { Problem } from "./problem.ts";
import { fieldPlaces } from "./rest/request.ts";

const COMMON_ERRORS: readonly ErrorCode[] = ["INVALID_INPUT", "UNAUTHENTICATED", "FORBIDDEN", "INTERNAL", "UNAVAILABLE"];
const BODY_ERRORS: readonly ErrorCode[] = ["MALFORMED_JSON", "TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"];

/** The OpenAPI 3.1 document of the operation table. */
export function createOpenApi(): SchemaNode {
  const schemas = collectSchemas();
  schemas.node(Problem, "output");
  const drafts = OPERATIONS.map((operation) => ({ operation, draft: describe(operation, schemas) }));
  const names = componentNames(schemas);
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { operation, draft } of drafts) {
    const [method, url] = operation.route.split(" ") as [string, string]; // the template literal type has exactly one space
    const path = url.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [method.toLowerCase()]: draft(names) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Signalbox",
      version: "1",
      description:
        "Durable AI orchestration: define a workflow, run it durably, watch it live. The same operations are offered over GraphQL at `/graphql`.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set(OPERATIONS.map(({ noun }) => noun))].map((name) => ({ name })),
    paths,
    // An empty one as well: with SIGNALBOX_AUTH=none nothing is asked for.
    security: [{ bearer: [] }, { apiKey: [] }, {}],
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "A token of a configured issuer, or an API key" },
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      },
      schemas: components(schemas, names),
    },
  };
}

type Names = Record<Direction, Map<string, string>>;

/** Describes one operation; references are renamed once all schemas are known. */
function describe(operation: Operation, schemas: SchemaCollector): (names: Names) => SchemaNode {
  const places = fieldPlaces(operation);
  const input = schemas.node(operation.input, "input");
  const output = schemas.node(operation.output, "output");
  const required = new Set(input.required);
  const field = (name: string): SchemaNode => input.properties?.[name] ?? {};
  const filterNode = field("filter");
  const filterName = nameOf(filterNode);
  const filter = (filterName === undefined ? filterNode : schemas.input[filterName])?.properties ?? {};

  const parameters = [
    ...places.path.map((name) => parameter(name, "path", field(name), true)),
    ...[...places.query.keys()].map((name) => parameter(name, "query", field(name), required.has(name))),
    ...[...places.filter.keys()].map((name) => parameter(name, "query", filter[name] ?? {}, false)),
    ...Object.entries(operation.headers ?? {}).map(([, { header, description }]) => ({
      ...parameter(header, "header", { type: "string" }, false),
      description,
    })),
    ...(operation === events
      ? [
          {
            ...parameter("last-event-id", "header", { type: "string" }, false),
            description: "On a stream: the last seq the client has; wins over `afterSeq`",
          },
        ]
      : []),
  ];
  const body = bodyOf(places.body, input);
  const errors = [...COMMON_ERRORS, ...(body ? BODY_ERRORS : []), ...(operation.errors ?? [])];

  return (names) => ({
    operationId: operation.name,
    summary: operation.summary,
    ...(operation === events && { description: "With `Accept: text/event-stream` they are streamed as they happen (`docs/live.md`)." }),
    tags: [operation.noun],
    "x-scope": operation.scope,
    ...(parameters.length > 0 && { parameters: parameters.map((item) => ({ ...item, schema: renamed(item.schema, "input", names) })) }),
    ...(body && {
      requestBody: { required: body.required, content: { "application/json": { schema: renamed(body.schema, "input", names) } } },
    }),
    responses: { ...successes(operation, renamed(output, "output", names)), ...refusals(errors) },
  });
}

function parameter(name: string, place: "path" | "query" | "header", schema: SchemaNode, isRequired: boolean) {
  const { description, ...rest } = schema;
  const list = place === "query" && schema.type === "array" ? { style: "form", explode: false } : {};
  return {
    name,
    in: place,
    ...(isRequired && { required: true }),
    ...(description !== undefined && { description }),
    schema: rest,
    ...list,
  };
}

function bodyOf(place: ReturnType<typeof fieldPlaces>["body"], input: SchemaNode): { schema: SchemaNode; required: boolean } | null {
  if (!place) return null;
  if (place.is === "input") return { schema: input.properties?.["input"] ?? {}, required: true };
  const required = (input.required ?? []).filter((name) => place.names.includes(name));
  const properties = Object.fromEntries(place.names.map((name) => [name, input.properties?.[name] ?? {}]));
  if (place.names.length === 0) return null;
  return {
    schema: { type: "object", properties, ...(required.length > 0 && { required }), additionalProperties: false },
    required: required.length > 0,
  };
}

function successes(operation: Operation, schema: SchemaNode): Record<string, unknown> {
  const json = { content: { "application/json": { schema } } };
  const headers = (names: string[]) => ({ headers: Object.fromEntries(names.map((name) => [name, { schema: { type: "string" } }])) });
  const answers: Record<string, unknown> = { [operation.status]: { description: "OK", ...json } };
  if (operation.status === 201) answers["201"] = { description: "Created", ...headers(["Location", "ETag"]), ...json };
  if (operation.status === 202) {
    answers["202"] = { description: "Accepted durably; it runs on", ...headers(["Location"]), ...json };
    answers["200"] = { description: "It ended within `wait`", ...headers(["Location"]), ...json };
  }
  if (operation === events) {
    const content = {
      ...json.content,
      "text/event-stream": {
        schema: { type: "string", description: "`id` is the seq, `event` the type, `data` the event; `event: end` is the last" },
      },
    };
    answers["200"] = { description: "OK", content };
    answers["204"] = { description: "A stream that reconnects after the last event: there is no more" };
  }
  return answers;
}

function refusals(codes: readonly ErrorCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => ERRORS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `${code}: ${ERRORS[code].title}`).join("; "),
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    ]),
  );
}

/** One component per name; an input that differs from the output of its name gets "Input" behind it. */
function componentNames({ input, output }: SchemaCollector): Names {
  const differs = new Set(Object.keys(input).filter((name) => output[name] !== undefined && text(input[name]) !== text(output[name])));
  for (let before = -1; before !== differs.size;) {
    before = differs.size;
    for (const [name, node] of Object.entries(input)) {
      if (output[name] !== undefined && references(node).some((inner) => differs.has(inner))) differs.add(name);
    }
  }
  return {
    input: new Map(Object.keys(input).map((name) => [name, differs.has(name) && !name.endsWith("Input") ? `${name}Input` : name])),
    output: new Map(Object.keys(output).map((name) => [name, name])),
  };
}

function components({ input, output }: SchemaCollector, names: Names): Record<string, SchemaNode> {
  const all = new Map<string, SchemaNode>();
  for (const [name, node] of Object.entries(input)) all.set(names.input.get(name) ?? name, renamed(node, "input", names));
  for (const [name, node] of Object.entries(output)) all.set(name, renamed(node, "output", names));
  return Object.fromEntries([...all].toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function renamed(node: SchemaNode, direction: Direction, names: Names): SchemaNode {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    const name = nameOf(value as SchemaNode);
    const entries = Object.entries(value)
      // Answers may gain fields within v1, so their schemas stay open.
      .filter(([key, inner]) => !(direction === "output" && key === "additionalProperties" && inner === false))
      .map(([key, inner]): [string, unknown] => [
        key,
        key === "$ref" && name !== undefined ? `#/components/schemas/${names[direction].get(name) ?? name}` : walk(inner),
      ]);
    return Object.fromEntries(entries);
  };
  return walk(node) as SchemaNode; // a copy of a node is a node
}

function text(node: SchemaNode | undefined): string {
  return JSON.stringify(node, (key, value: unknown) => (key === "additionalProperties" && value === false ? undefined : value));
}

function references(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return [];
  const own = nameOf(node as SchemaNode);
  return [...(own === undefined ? [] : [own]), ...Object.values(node).flatMap(references)];
}
