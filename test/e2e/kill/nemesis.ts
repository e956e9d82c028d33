import { once, type EventEmitter } from "node:events";
import { pause, type Child } from "../support/child.ts";
import type { Happenings } from "./actors.ts";
import type { Call, Ledger } from "./ledger.ts";
import type { Dice } from "./random.ts";

/** What a kill was aimed at. `any`: any moment at all, the start of the service included. */
export const AIMS = ["any", "answer", "decision", "said", "accepted", "event"] as const;
export type Aim = (typeof AIMS)[number];

export interface Kill {
  at: number;
  aim: Aim;
  /** From spawn to ready, undefined when it was killed before. */
  bootMs: number | undefined;
  /** From spawn to the first event anybody saw or the first model call, undefined where there was none. */
  firstWorkMs: number | undefined;
  /** Executions that were accepted and not over. */
  open: number;
}

interface NemesisOptions {
  kills: number;
  /** No kill after so long, so that a slow machine takes fewer kills and not more time. */
  budgetMs: number;
  /** How long the service takes to get ready here, milliseconds: a first guess. */
  bootMs: number;
  /** What an fsync takes on top, milliseconds. */
  slowDiskMs: number;
  dice: Dice;
  ledger: Ledger;
  on: EventEmitter<Happenings>;
  startService(): Child;
  openExecutions(): number;
  onKill(count: number): void;
  /** Called when the service ended without us. */
  onDeath(how: string): void;
}

/** Longest life of the service once it is ready, milliseconds. */
const LIFE_MS = 1_000;
/** An aimed kill comes this long after what it waited for, at most, milliseconds: commits take 1-10 ms. */
const AFTER_MS = 12;
/** Commits between an answer and the step that follows from it. */
const COMMITS = 3;
const AIM_MS = 1_500;

/** Kills the service again and again and starts it at once; returns what it did and the last, living service. */
export async function haunt({
  kills,
  budgetMs,
  slowDiskMs,
  dice,
  ledger,
  on,
  startService,
  openExecutions,
  onKill,
  onDeath,
  ...options
}: NemesisOptions): Promise<{ kills: Kill[]; service: Child }> {
  const done: Kill[] = [];
  const until = Date.now() + budgetMs;
  let usualBootMs = options.bootMs;
  for (let service = startService(); ; service = startService()) {
    let bootMs: number | undefined;
    let firstWorkMs: number | undefined;
    const noticeWork = () => (firstWorkMs ??= Date.now() - service.startedAt);
    on.once("event", noticeWork);
    ledger.on.once("answered", noticeWork);
    const ready = service.ready().then(() => void (bootMs = Date.now() - service.startedAt));
    if (done.length === kills || Date.now() >= until) {
      await ready;
      return { kills: done, service };
    }
    const aim = dice.next() < 0.3 ? "any" : dice.pick(AIMS);
    // Killed during its start, it never gets ready; one that dies by itself is reported below.
    const started = ready.catch(() => {});
    if (aim === "any") await pause(dice.between(0, usualBootMs + LIFE_MS));
    else {
      await started;
      await happening(aim, ledger, on);
      await pause(dice.between(0, AFTER_MS + COMMITS * slowDiskMs));
    }
    if (service.ended) onDeath(`${JSON.stringify(service.ended)} ${service.output}`);
    const open = openExecutions();
    const at = Date.now();
    await service.kill();
    on.off("event", noticeWork);
    ledger.on.off("answered", noticeWork);
    usualBootMs = bootMs ?? usualBootMs;
    done.push({ at, aim, bootMs, firstWorkMs, open });
    onKill(done.length);
  }
}

/** The next time it happens, or 1.5 s later. */
async function happening(aim: Exclude<Aim, "any">, ledger: Ledger, on: EventEmitter<Happenings>): Promise<void> {
  const signal = AbortSignal.timeout(AIM_MS);
  const isAnswer = aim === "answer" || aim === "decision";
  const call = async (): Promise<void> => {
    while (((await once(ledger.on, "answered", { signal })) as [Call])[0].isDecision !== (aim === "decision"));
  };
  await (isAnswer ? call() : once(on, aim, { signal })).catch(() => {});
}
