import type { FastifyInstance, FastifyRequest } from "fastify";
import { SignalboxError } from "../../errors.ts";
import { invalidInput } from "../parse.ts";

/** Nesting nobody means; without a bound, one megabyte of `[` overflows the stack of whoever serialises it again. */
export const MAX_JSON_DEPTH = 64;

/** Reads the text of a body; undefined where it is empty. */
export type ReadJson = (request: FastifyRequest, text: string, done: (error: Error | null, value?: unknown) => void) => void;

/** Takes `application/json` bodies only, none included, and refuses what JSON can hold but nobody should send. */
export function acceptJson(app: FastifyInstance): void {
  const read = createJsonReader(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>("application/json", { parseAs: "string" }, read);
}

/** The one way texts become JSON here: MALFORMED_JSON for what is none, INVALID_INPUT for what is too deep or reaches prototypes. */
export function createJsonReader(app: FastifyInstance): ReadJson {
  const parse = app.getDefaultJsonParser("error", "error");
  return (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    if (isTooDeep(body))
      return done(invalidInput([{ code: "TOO_DEEP", pointer: "", message: `is nested deeper than ${MAX_JSON_DEPTH} levels` }]));
    return void parse(request, body, (error, value) => {
      if (error === null) return done(null, value);
      return done(isJson(body) ? invalidInput([FORBIDDEN_KEY]) : new SignalboxError("MALFORMED_JSON"));
    });
  };
}

/** What JSON allows and the parser refuses: keys that reach prototypes. */
const FORBIDDEN_KEY = { code: "FORBIDDEN_KEY", pointer: "", message: "holds a key named __proto__ or constructor.prototype" };

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 92)
        index += 1; // backslash: the next character is data
      else if (code === 34) inString = false;
    } else if (code === 34) inString = true;
    else if (code === 123 || code === 91) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (code === 125 || code === 93) depth -= 1;
  }
  return false;
}
