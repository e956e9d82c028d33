import { collectSchemas, nameOf, nonNull, type Direction, type SchemaCollector, type SchemaNode } from "./json-schemas.ts";
import { RELATIONS } from "./graphql/relations.ts";
import { OPERATIONS, SUBSCRIPTIONS } from "./operations/index.ts";

const GRAPHQL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const HEADER = "# Generated from the operation table by `npm run generate`; do not edit.\n";

/** The GraphQL schema of the operation table, as SDL. */
export function createSdl(): string {
  const schemas = collectSchemas();
  // All of them first: whether a type needs two names depends on all its uses.
  for (const { input, output } of [...OPERATIONS, ...SUBSCRIPTIONS]) void [schemas.node(input, "input"), schemas.node(output, "output")];
  const types = createTypes(schemas);
  const queries: string[] = [];
  const mutations: string[] = [];
  for (const { name, summary, kind, input, output, items } of OPERATIONS) {
    const args = types.args(schemas.node(input, "input"));
    const fields = kind === "query" ? queries : mutations;
    if (items) fields.push(field(name, args, `[${types.reference(schemas.node(items, "output"), "output", name)}!]!`, summary));
    if (input.shape["pageToken"]) {
      fields.push(
        field(
          `${name}Page`,
          args,
          `${types.reference(schemas.node(output, "output"), "output", name)}!`,
          `${summary}; with the token of the next page`,
        ),
      );
    }
    if (!items) {
      // What a query asks for may not be there: null, with the error beside it.
      fields.push(
        field(name, args, `${types.reference(schemas.node(output, "output"), "output", name)}${kind === "query" ? "" : "!"}`, summary),
      );
    }
  }
  const subscriptions = SUBSCRIPTIONS.map(({ name, summary, input, output }) =>
    field(name, types.args(schemas.node(input, "input")), `${types.reference(schemas.node(output, "output"), "output", name)}!`, summary),
  );
  const roots = [block("type", "Query", queries), block("type", "Mutation", mutations), block("type", "Subscription", subscriptions)];
  return `${HEADER}\n${[...roots, ...types.print()].join("\n\n")}\n`;
}

function createTypes(schemas: SchemaCollector) {
  const printed = new Map<string, string>();

  /** The GraphQL type of a node, without `!`. `hint` names what has no name of its own. */
  function reference(given: SchemaNode, direction: Direction, hint: string): string {
    const { node } = nonNull(given);
    const name = nameOf(node);
    const target = name === undefined ? node : (schemas[direction][name] ?? {});
    if (target.type === "array") return `[${reference(target.items ?? {}, direction, hint)}!]`;
    if (target.enum) return enumeration(name, target);
    if (target.type === "object" && target.properties) return object(typeName(name ?? capitalised(hint), direction), target, direction);
    if (target.type === "string") return "String";
    if (target.type === "boolean") return "Boolean";
    if (target.type === "integer") return "Int";
    if (target.type === "number") return "Float";
    printed.set("JSON", '"Any JSON value."\nscalar JSON');
    return "JSON";
  }

  function object(name: string, node: SchemaNode, direction: Direction): string {
    if (printed.has(name)) return name;
    printed.set(name, ""); // reserves the name: a type may hold itself
    const required = new Set(node.required);
    const own = Object.entries(node.properties ?? {})
      .filter(([key]) => !(direction === "output" && relationsOf(name).some(({ field: key2 }) => key2 === key)))
      .map(([key, child]) => field(key, "", typed(key, child, direction, name, required.has(key)), child.description));
    const related = direction === "output" ? relationsOf(name).map((relation) => relationField(relation)) : [];
    printed.set(name, block(direction === "input" ? "input" : "type", name, [...own, ...related]));
    return name;
  }

  function typed(key: string, node: SchemaNode, direction: Direction, parent: string, isRequired: boolean): string {
    const { isNullable } = nonNull(node);
    const type = reference(node, direction, `${parent}${capitalised(key)}`);
    const isId = type === "String" && (key === "id" || key.endsWith("Id"));
    // Any JSON value may be null.
    return `${isId ? "ID" : type}${isRequired && !isNullable && type !== "JSON" ? "!" : ""}`;
  }

  function relationField({ field: name, summary, args, output }: (typeof RELATIONS)[number]): string {
    const node = schemas.node(output, "output");
    const type = reference(node, "output", name);
    return field(name, arguments_(schemas.node(args, "input")), nonNull(node).isNullable || type === "JSON" ? type : `${type}!`, summary);
  }

  function arguments_(input: SchemaNode): string {
    const required = new Set(input.required);
    const list = Object.entries(input.properties ?? {}).map(([key, node]) => {
      const type = typed(key, node, "input", "", required.has(key));
      return `${key}: ${type === "JSON" && required.has(key) ? "JSON!" : type}`;
    });
    return list.length === 0 ? "" : `(${list.join(", ")})`;
  }

  /** A type that is read and written has two names, as GraphQL asks for. */
  function typeName(name: string, direction: Direction): string {
    const isBoth = schemas.output[name]?.properties !== undefined;
    return direction === "input" && isBoth && !name.endsWith("Input") ? `${name}Input` : name;
  }

  function enumeration(name: string | undefined, { enum: values = [] }: SchemaNode): string {
    if (name === undefined || !values.every((value) => typeof value === "string" && GRAPHQL_NAME.test(value))) return "String";
    printed.set(
      name,
      block(
        "enum",
        name,
        values.map((value) => `  ${String(value)}`),
      ),
    );
    return name;
  }

  return {
    reference,
    args: arguments_,
    print: () => [...printed].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, text]) => text),
  };
}

function relationsOf(type: string) {
  return RELATIONS.filter((relation) => relation.type === type);
}

function field(name: string, args: string, type: string, description: string | undefined): string {
  return `${description === undefined ? "" : `  ${JSON.stringify(description)}\n`}  ${name}${args}: ${type}`;
}

function block(keyword: string, name: string, fields: string[]): string {
  return `${keyword} ${name} {\n${fields.join("\n")}\n}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
