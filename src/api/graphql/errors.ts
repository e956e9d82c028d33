import { GraphQLError, type GraphQLFormattedError } from "graphql";
import { pointerTo } from "../../definition/pointer.ts";
import { ERRORS, SignalboxError, type Issue } from "../../errors.ts";
import { problemOf } from "../problem.ts";

/** One of our errors as GraphQL has it: the same code, status and issues as over REST, in `extensions`. */
export function toGraphQLError(error: SignalboxError): GraphQLError {
  const { detail, title: _title, type, requestId: _requestId, ...extensions } = problemOf(error, "");
  return new GraphQLError(detail, { originalError: error, extensions: { ...extensions, type } });
}

/** Errors of a document that was refused before it ran. */
export function refused(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
  return errors.map((error) => {
    if (isCoded(error)) return error.toJSON();
    const issue: Issue = { code: "GRAPHQL", pointer: pointerOf(error.message), message: error.message };
    const coded = toGraphQLError(new SignalboxError("INVALID_INPUT", error.message, { issues: [issue] })).toJSON();
    return { ...coded, ...(error.locations && { locations: error.locations }) };
  });
}

/** Errors of a run: ours pass, what the engine itself says (a null that must not be) is hidden like any unexpected error. */
export function formatted(errors: readonly GraphQLError[]): GraphQLFormattedError[] {
  return errors.map((error) => {
    if (isCoded(error)) return error.toJSON();
    const hidden = toGraphQLError(new SignalboxError("INTERNAL")).toJSON();
    return { ...hidden, ...(error.path && { path: error.path }), ...(error.locations && { locations: error.locations }) };
  });
}

/** Whether it was one of ours, before libraries wrapped it: they carry `extensions` along. */
function isCoded({ extensions: { code } }: GraphQLError): boolean {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}

/** GraphQL tells the place of a wrong variable inside its message: `at "input.steps[0].id"`. */
function pointerOf(message: string): string {
  const place = /\bat "([^"]+)"/.exec(message)?.[1] ?? /^Variable "\$(\w+)"/.exec(message)?.[1];
  return place === undefined ? "" : pointerTo("", ...place.split(/[.[\]]+/).filter((key) => key !== ""));
}
