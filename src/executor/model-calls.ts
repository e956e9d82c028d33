import type { ModelCalls } from "../ai/model-call.ts";
import type { Models } from "../ai/models.ts";
import { stepEvent } from "../compiler/events.ts";
import type { StepPlace } from "../compiler/host.ts";
import type { Limits } from "../definition/workflow.ts";
import { SignalboxError } from "../errors.ts";
import type { Session } from "./session.ts";
import type { TokenHub } from "./tokens.ts";

interface ModelCallsOptions {
  session: Session;
  place: StepPlace;
  models: Models;
  tokens: TokenHub;
  limits: Limits | undefined;
}

/** Model calls of one step attempt: the execution's budget before the call, its usage and an event after it, tokens meanwhile. */
export function createModelCalls({ session, place, models, tokens, limits }: ModelCallsOptions): ModelCalls {
  const { draft } = session;
  const { stepId, visit, attempt } = place;
  return {
    async complete(request) {
      checkBudget(draft.usage, limits);
      let index = 0;
      const publish = (text: string, done: boolean) =>
        tokens.publish({ executionId: draft.id, stepId, visit, attempt, index: index++, text, done });
      const reply = await models.complete(
        { ...request, traceparent: session.traceparent(place) },
        { onPiece: (text) => publish(text, false) },
      );
      if (index > 0) publish("", true);
      const { usage } = draft;
      draft.usage = {
        modelCalls: usage.modelCalls + 1,
        tokensIn: usage.tokensIn + reply.tokensIn,
        tokensOut: usage.tokensOut + reply.tokensOut,
        costUsd: usage.costUsd + reply.costUsd,
      };
      const data = {
        model: reply.model,
        in: reply.tokensIn,
        out: reply.tokensOut,
        costUsd: reply.costUsd,
        latencyMs: reply.latencyMs,
        offline: reply.offline,
      };
      const summary = `${reply.model} answered: ${reply.tokensIn} tokens in, ${reply.tokensOut} out.`;
      session.committer.pending.drafts.push(stepEvent({ host: session, place }, "model.usage", summary, data));
      return reply;
    },
  };
}

function checkBudget(usage: Session["draft"]["usage"], limits: Limits | undefined): void {
  const { maxTokens, maxCostUsd } = limits ?? {};
  const tokens = usage.tokensIn + usage.tokensOut;
  if (maxTokens !== undefined && tokens >= maxTokens) {
    throw new SignalboxError("BUDGET_EXCEEDED", `The execution used ${tokens} of ${maxTokens} tokens.`, { details: { tokens, maxTokens } });
  }
  if (maxCostUsd !== undefined && usage.costUsd >= maxCostUsd) {
    throw new SignalboxError("BUDGET_EXCEEDED", `The execution spent ${usage.costUsd} of ${maxCostUsd} USD.`, {
      details: { costUsd: usage.costUsd, maxCostUsd },
    });
  }
}
