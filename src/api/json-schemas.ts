import { z } from "zod";

/** A JSON Schema node, as far as the projections look at it. */
export interface SchemaNode {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, SchemaNode>;
  required?: string[];
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  enum?: unknown[];
  description?: string;
  [keyword: string]: unknown;
}

export type Direction = "input" | "output";
export type Definitions = Record<string, SchemaNode>;

const DEFINITIONS = "#/$defs/";

/** Collects the named schemas (`.meta({ id })`) of everything it is asked about, apart by direction. */
export interface SchemaCollector {
  input: Definitions;
  output: Definitions;
  /** The schema as a node; named schemas in it are references into `input` or `output`. */
  node(schema: z.ZodType, direction: Direction): SchemaNode;
}

export function collectSchemas(): SchemaCollector {
  const collected: Record<Direction, Definitions> = { input: {}, output: {} };
  return {
    ...collected,
    node(schema, direction) {
      // Wrapped, because only a schema inside another one becomes a reference.
      const wrapped = z.toJSONSchema(z.object({ root: schema }), { io: direction, unrepresentable: "any" }) as SchemaNode & {
        $defs?: Definitions;
      }; // JSON Schema 2020-12
      for (const [name, definition] of Object.entries(wrapped.$defs ?? {})) collected[direction][name] = tidy(definition);
      return tidy(wrapped.properties?.["root"] ?? {});
    },
  };
}

/** The name a reference points at. */
export function nameOf(node: SchemaNode): string | undefined {
  return node.$ref?.startsWith(DEFINITIONS) ? node.$ref.slice(DEFINITIONS.length) : undefined;
}

/** Splits "X or null" into X and whether null is allowed. */
export function nonNull(node: SchemaNode): { node: SchemaNode; isNullable: boolean } {
  if (Array.isArray(node.type) && node.type.includes("null")) {
    const types = node.type.filter((type) => type !== "null");
    return { node: { ...node, type: types.length === 1 ? (types[0] as string) : types }, isNullable: true };
  }
  const alternatives = node.anyOf?.filter(({ type }) => type !== "null");
  if (node.anyOf && alternatives && alternatives.length < node.anyOf.length) {
    const { anyOf: _anyOf, ...rest } = node;
    return { node: alternatives.length === 1 ? { ...rest, ...alternatives[0] } : { ...rest, anyOf: alternatives }, isNullable: true };
  }
  return { node, isNullable: false };
}

/** Without what is noise to a reader: the safe-integer bounds and names that may be any text. */
function tidy(node: SchemaNode): SchemaNode {
  const entries = Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
    if (key === "minimum" && value === Number.MIN_SAFE_INTEGER) return [];
    if (key === "maximum" && value === Number.MAX_SAFE_INTEGER) return [];
    if (key === "propertyNames" && JSON.stringify(value) === '{"type":"string"}') return [];
    if (key === "properties")
      return [[key, Object.fromEntries(Object.entries(value as Definitions).map(([name, child]) => [name, tidy(child)]))]];
    if (Array.isArray(value)) return [[key, value.map((item: unknown) => (isNode(item) ? tidy(item) : item))]];
    return [[key, isNode(value) && key !== "default" ? tidy(value) : value]];
  });
  return Object.fromEntries(entries);
}

function isNode(value: unknown): value is SchemaNode {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
