/** The field by which the library tells kinds of objects apart, even where it is a field of the data. */
const FIELD = "constructor";

/**
 * A scope in which objects with a field named `constructor` are Maps, which the library reads like any map; as plain objects they
 * are "unsupported". Undefined where there are none. Whoever sends racing results must not break a workflow by it.
 */
export function withOddFields(scope: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const converted = convert(scope);
  return converted === scope ? undefined : (converted as Record<string, unknown>);
}

function convert(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(convert);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const entries = Object.entries(value).map(([key, item]): [string, unknown, boolean] => {
    const converted = convert(item);
    return [key, converted, converted !== item];
  });
  if (Object.hasOwn(value, FIELD)) return new Map(entries.map(([key, item]) => [key, item]));
  return entries.some(([, , isNew]) => isNew) ? Object.fromEntries(entries.map(([key, item]) => [key, item])) : value;
}
