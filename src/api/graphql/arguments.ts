import { isInputObjectType, isListType, isNonNullType, type GraphQLInputType } from "graphql";

/**
 * Arguments as the schemas read them: GraphQL lets any optional field be null where JSON leaves it out, so a null means absent
 * everywhere but inside the scalar JSON, where it is data. Objects become plain ones on the way.
 */
export function withoutNulls(
  args: Record<string, unknown>,
  declared: readonly { name: string; type: GraphQLInputType }[],
): Record<string, unknown> {
  const types = new Map(declared.map(({ name, type }) => [name, type]));
  return fieldsOf(args, (name) => types.get(name));
}

function fieldsOf(value: Record<string, unknown>, typeOf: (name: string) => GraphQLInputType | undefined): Record<string, unknown> {
  const entries = Object.entries(value).filter(([name, item]) => item !== null || isJson(typeOf(name)));
  return Object.fromEntries(entries.map(([name, item]) => [name, plain(item, typeOf(name))]));
}

function plain(value: unknown, type: GraphQLInputType | undefined): unknown {
  const inner = isNonNullType(type) ? type.ofType : type;
  if (isListType(inner) && Array.isArray(value)) return value.map((item) => plain(item, inner.ofType));
  if (!isInputObjectType(inner) || typeof value !== "object" || value === null) return value;
  const fields = inner.getFields();
  return fieldsOf(value as Record<string, unknown>, (name) => fields[name]?.type);
}

function isJson(type: GraphQLInputType | undefined): boolean {
  return type !== undefined && "name" in type && type.name === "JSON";
}
