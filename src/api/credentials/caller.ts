import { SCOPES, type Principal, type Scope } from "../../definition/access.ts";
import { SignalboxError } from "../../errors.ts";

/** Who calls, and until when their credentials say so. */
export interface Caller {
  principal: Principal;
  /** Epoch milliseconds; null: no end is known. */
  expiresAt: number | null;
}

/** Checks one kind of credential; undefined where it is not of that kind. */
export type Check = (credential: string) => Promise<Caller | undefined> | Caller | undefined;

export function unauthenticated(message: string): SignalboxError {
  return new SignalboxError("UNAUTHENTICATED", message);
}

export function isScope(name: string): name is Scope {
  return (SCOPES as readonly string[]).includes(name);
}
