import { GraphQLError, Kind, type ValueNode } from "graphql";
import { MAX_JSON_DEPTH } from "../rest/body.ts";

type Variables = { readonly [name: string]: unknown } | null | undefined;

/** A literal of the scalar JSON, under the same bounds as a JSON body. */
export function jsonLiteral(node: ValueNode, variables: Variables): unknown {
  return read(node, variables, 0);
}

function read(node: ValueNode, variables: Variables, depth: number): unknown {
  if (depth > MAX_JSON_DEPTH) throw new GraphQLError(`The value is nested deeper than ${MAX_JSON_DEPTH} levels.`, { nodes: node });
  switch (node.kind) {
    case Kind.NULL:
      return null;
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.STRING:
    case Kind.BOOLEAN:
    case Kind.ENUM:
      return node.value;
    case Kind.LIST:
      return node.values.map((item) => read(item, variables, depth + 1));
    case Kind.OBJECT:
      return Object.fromEntries(
        node.fields.map(({ name, value }): [string, unknown] => {
          if (name.value === "__proto__") throw new GraphQLError('A key cannot be "__proto__".', { nodes: node });
          return [name.value, read(value, variables, depth + 1)];
        }),
      );
    case Kind.VARIABLE:
      return variables?.[node.name.value];
    default:
      return node satisfies never;
  }
}
