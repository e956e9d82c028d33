import type { EventEmitter } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Happenings } from "./actors.ts";
import type { Client } from "./client.ts";
import type { Dice } from "./random.ts";

/** What the harness said to one approval, try by try. */
export interface Said {
  /** The words of every try: each its own, so that the one that counts can be told from the others. */
  words: string[];
  /** The try the service confirmed. */
  confirmed: string | undefined;
}

/** A person who answers every open approval, twice when there is doubt whether the first answer arrived. */
export async function answerApprovals(
  client: Client,
  dice: Dice,
  on: EventEmitter<Happenings>,
  { signal, lookEveryMs = 80 }: { signal: AbortSignal; lookEveryMs?: number },
): Promise<Map<string, Said>> {
  const said = new Map<string, Said>();
  while (!signal.aborted) {
    const pending = await client.once("GET", "/api/v1/approvals?status=PENDING&pageSize=100").catch(() => undefined);
    const open = (pending?.body["items"] ?? []) as { id: string; visit: number; choices: [string, ...string[]] }[];
    for (const { id, visit, choices } of open) {
      const entry = said.get(id) ?? { words: [], confirmed: undefined };
      said.set(id, entry);
      const words = `${id.slice(0, 8)}-try-${entry.words.length + 1}`;
      entry.words.push(words);
      const decision = choices.includes("approve") ? (visit < 3 && dice.next() < 0.3 ? "reject" : "approve") : dice.pick(choices);
      const answer = await client.once("POST", `/api/v1/approvals/${id}/decide`, { decision, reason: words }).catch(() => undefined);
      // An answer that is confirmed counts, for ever: a kill right after it must not give the word to another one.
      on.emit("said");
      if (answer?.status === 200) entry.confirmed ??= words;
    }
    await pause(lookEveryMs, undefined, { signal }).catch(() => {});
  }
  return said;
}
