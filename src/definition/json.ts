import { z } from "zod";

/** Any JSON value; what crosses every boundary and what is stored. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Any JSON value as a schema. Structure is checked by the JSON parser at the edge, so it is not walked a second time here. */
export const JsonValue = z.unknown().meta({ id: "JSON" }) as unknown as z.ZodType<Json>;
export const JsonRecord = z.record(z.string(), z.unknown()) as unknown as z.ZodType<JsonObject>;

/**
 * A value as it will look after a round trip through storage: Dates become strings, `undefined` vanishes, bigints become numbers.
 * A step sees the same value before and after a crash because every output passes here (`langgraph.md` §1.7).
 */
export function toJson(value: unknown): Json {
  const text = JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? Number(item) : item));
  return text === undefined ? null : (JSON.parse(text) as Json);
}
