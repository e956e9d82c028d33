import type { DecisionRequest } from "../../src/ai/decision-maker.ts";
import { createModels } from "../../src/ai/models.ts";
import type { Decision } from "../../src/definition/decision.ts";
import type { SeenRequest } from "./openai-server.ts";

export const OPTIONS = [
  { id: "pay_refund", label: "Refund", description: "Gives the money back", isAllowed: true, verdict: "allowed" },
  { id: "ask_customer", label: "Ask", description: "Asks the customer for more", isAllowed: true, verdict: "allowed" },
  { id: "reject_claim", label: "Reject", description: "Ends the case", isAllowed: true, verdict: "allowed" },
];

/** A decision about a broken parcel with three options, asked over HTTP. */
export function decisionRequest(baseUrl: string, over: Partial<DecisionRequest> = {}): DecisionRequest {
  const models = createModels({ openai: { baseUrl } });
  return {
    place: { id: "decision-1", executionId: "execution-1", workflowId: "refunds", workflowVersion: 3, stepId: "route", visit: 1 },
    instruction: "Decide about the claim.",
    criteria: ["Be fair."],
    examples: [],
    options: OPTIONS,
    rules: [],
    fallback: "ask_customer",
    state: { input: { message: "My parcel is broken" } },
    models: ["openai:one"],
    allowedModels: undefined,
    allowedEvents: [],
    minConfidence: 0,
    onLowConfidence: "fallback",
    onViolation: "fallback",
    timeoutMs: 5_000,
    signal: new AbortController().signal,
    now: () => Date.now(),
    complete: (request) => models.complete(request),
    ...over,
  };
}

/** The opaque id under which a request offers the option with this label. */
export function opaqueId({ body }: SeenRequest, label: string): string {
  const id = new RegExp(String.raw`^- (o\d+): ${label}\b`, "m").exec(body.messages[0]?.content ?? "")?.[1];
  if (id === undefined) throw new Error(`no option ${label} in the prompt`);
  return id;
}

/** A reply that chooses the option with this label; `over` spoils it. */
export function choosing(label: string, over: object = {}) {
  return (request: SeenRequest) =>
    JSON.stringify({ choice: opaqueId(request, label), confidence: 0.9, rationale: "It is broken.", ...over });
}

export function outcomesOf(decision: Decision): string[] {
  return decision.attempts.map(({ outcome }) => outcome);
}
