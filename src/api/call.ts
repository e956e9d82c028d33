import { mayDo, type Principal, type Scope } from "../definition/access.ts";
import { SignalboxError } from "../errors.ts";
import type { CallContext, Operation } from "./operations/operation.ts";
import { parseInput } from "./parse.ts";

/** Runs an operation on raw input: the scope is checked before the input is looked at. */
export async function callOperation(
  operation: Operation,
  context: CallContext,
  raw: unknown,
  body?: string,
): Promise<{ input: unknown; handled: unknown }> {
  requireScope(context.principal, operation.scope);
  const input = parseInput(operation.input, raw, body);
  return { input, handled: await operation.handle(context, input) };
}

/** FORBIDDEN where the principal's credentials do not carry the scope. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!mayDo(principal, scope)) throw new SignalboxError("FORBIDDEN", `This needs the scope ${scope}.`, { details: { scope } });
}
