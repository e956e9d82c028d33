import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Dice } from "../kill/random.ts";
import { answerTo } from "../kill/workflows.ts";
import { pause } from "../support/child.ts";

/** One call as it arrived, applied or not. */
export interface Arrival {
  /** What is to be done: run, step and visit. */
  effect: string;
  /** The Idempotency-Key of the caller. */
  key: string;
  /** What the receiver did to it. */
  fate: "applied" | "repeat" | "failed before" | "failed after" | "unanswered";
}

export interface Receiver extends AsyncDisposable {
  url: string;
  arrivals: Arrival[];
  /** Each effect that was applied, with every key it was applied under: more than one means it happened twice. */
  applied: Map<string, Set<string>>;
  /** Each key, with every effect it came for: more than one means that one of them never happened. */
  asked: Map<string, Set<string>>;
}

/** Calls of a hundred that fail before, fail after, and are applied but never answered. */
const FAILS_BEFORE = 3;
const FAILS_AFTER = 2;
const NO_ANSWER = 1;

/** An outside system that applies a key once, and is no more reliable than others. */
export async function startReceiver(dice: Dice): Promise<Receiver> {
  const arrivals: Arrival[] = [];
  const applied: Receiver["applied"] = new Map();
  const asked: Receiver["asked"] = new Map();
  const keys = new Set<string>();
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { key: effect } = JSON.parse(await text(request)) as { key: string }; // what the step sends
    const key = String(request.headers["idempotency-key"]);
    asked.set(key, (asked.get(key) ?? new Set()).add(effect));
    const luck = dice.between(1, 100);
    await pause(dice.between(5, 80));
    if (luck <= FAILS_BEFORE) {
      arrivals.push({ effect, key, fate: "failed before" });
      response.writeHead(500).end();
      return;
    }
    const isRepeat = keys.has(key);
    keys.add(key);
    const under = applied.get(effect) ?? new Set();
    applied.set(effect, under.add(key));
    const isFailed = luck <= FAILS_BEFORE + FAILS_AFTER;
    const isSilent = !isFailed && luck <= FAILS_BEFORE + FAILS_AFTER + NO_ANSWER;
    arrivals.push({ effect, key, fate: isFailed ? "failed after" : isSilent ? "unanswered" : isRepeat ? "repeat" : "applied" });
    if (isFailed) response.writeHead(500).end();
    else if (!isSilent) response.end(answerTo(effect));
  }

  const server = createServer((request, response) => {
    // A caller that is killed while it asks has asked for nothing.
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, // a listening TCP server has one
    arrivals,
    applied,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
