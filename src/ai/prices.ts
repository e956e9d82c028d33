/** US dollars per million tokens. */
export interface Price {
  in: number;
  out: number;
}

/** List prices by `provider:model`, without a date suffix. A model that is not here costs 0, so budgets in money need it here. */
const PRICES: Readonly<Record<string, Price>> = {
  "openai:gpt-4o": { in: 2.5, out: 10 },
  "openai:gpt-4o-mini": { in: 0.15, out: 0.6 },
  "openai:gpt-4.1": { in: 2, out: 8 },
  "openai:gpt-4.1-mini": { in: 0.4, out: 1.6 },
  "openai:gpt-4.1-nano": { in: 0.1, out: 0.4 },
  "openai:gpt-5": { in: 1.25, out: 10 },
  "openai:gpt-5-mini": { in: 0.25, out: 2 },
  "openai:gpt-5-nano": { in: 0.05, out: 0.4 },
};

const DATE_SUFFIX = /-\d{4}-\d{2}-\d{2}$/;

/** What a call cost, US dollars; 0 where the price is not known. */
export function costUsd(
  model: string,
  usage: { tokensIn: number; tokensOut: number },
  prices: Readonly<Record<string, Price>> = {},
): number {
  const undated = model.replace(DATE_SUFFIX, "");
  const price = prices[model] ?? prices[undated] ?? PRICES[undated];
  return price ? (usage.tokensIn * price.in + usage.tokensOut * price.out) / 1_000_000 : 0;
}
