import { EventEmitter } from "node:events";
import { pause } from "../support/child.ts";
import { startOpenAIServer, type SeenRequest, type StubReply } from "../../support/openai-server.ts";
import type { Dice } from "./random.ts";
import { answerTo, CALL_KEY } from "./workflows.ts";

/** One call of the model as the model saw it: what happened outside the service, whatever the service remembers. */
export interface Call {
  number: number;
  key: string;
  isDecision: boolean;
  arrivedAt: number;
  /** Undefined while the model thinks. */
  endedAt: number | undefined;
  /** `aborted`: the caller went away. */
  outcome: "thinking" | "answered" | "refused" | "aborted";
  /** What was chosen, for a decision. */
  choice: string | undefined;
}

export interface Ledger extends AsyncDisposable {
  baseUrl: string;
  calls: Call[];
  /** `answered` after each answer, decision or not. */
  on: EventEmitter<{ answered: [Call] }>;
}

/** Failures before a flaky model answers. */
const FLAKES = 2;
const REFERRED_SHARE = 0.15;
const SHORTEST_MS = 15;
const LONGEST_MS = 110;

/** A model behind HTTP that writes down every call. It chooses by dice, so that a decision that is asked again shows. */
export async function startLedger(dice: Dice): Promise<Ledger> {
  const calls: Call[] = [];
  const on: Ledger["on"] = new EventEmitter();
  const server = await startOpenAIServer((request) => {
    const text = request.body.messages.map(({ content }) => content).join("\n");
    const key = CALL_KEY.exec(text)?.[0] ?? `unknown: ${text.slice(0, 200)}`;
    const isDecision = request.body.response_format !== undefined;
    const call: Call = {
      number: calls.length + 1,
      key,
      isDecision,
      arrivedAt: Date.now(),
      endedAt: undefined,
      outcome: "thinking",
      choice: undefined,
    };
    const earlier = calls.filter((other) => other.key === key && other.outcome === "refused").length;
    calls.push(call);
    const reply = replyTo(request, call, earlier, dice, text);
    const isRefusal = typeof reply === "object" && "status" in reply;
    void noteEnd(request, isRefusal);
    return reply;

    async function noteEnd({ closed }: SeenRequest, isRefused: boolean): Promise<void> {
      const how = await closed;
      call.endedAt = Date.now();
      call.outcome = how === "aborted" ? "aborted" : isRefused ? "refused" : "answered";
      if (call.outcome === "answered") on.emit("answered", call);
    }
  });
  return { baseUrl: server.baseUrl, calls, on, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function replyTo({ body }: SeenRequest, call: Call, earlier: number, dice: Dice, text: string): StubReply {
  if (body.model.startsWith("broken")) return { status: 400, json: { error: { message: "No such thing", type: "invalid_request_error" } } };
  if (body.model.startsWith("flaky") && earlier < FLAKES) {
    // Once in a while longer than the service holds an execution in memory for.
    const retryAfter = earlier === FLAKES - 1 && dice.next() < 0.3 ? { "retry-after": "6" } : {};
    return { status: 503, headers: retryAfter, json: { error: { message: "Busy", type: "server_error" } } };
  }
  const after = pause(dice.between(SHORTEST_MS, LONGEST_MS));
  if (!call.isDecision) return { after, reply: answerTo(call.key) };
  const [, option = "o1", choice = ""] = dice.pick(optionsIn(text));
  call.choice = choice;
  // Unsure at times, which makes the service ask a person: the record of the question then outlives many a kill.
  const confidence = dice.next() < REFERRED_SHARE ? 0.1 : 0.9;
  // The rationale tells the calls of one decision apart.
  return { after, reply: JSON.stringify({ choice: option, confidence, rationale: `call ${call.number}` }) };
}

function optionsIn(text: string): [RegExpMatchArray, ...RegExpMatchArray[]] {
  const [first, ...others] = text.matchAll(/^- (o\d+): (\w+)$/gm);
  if (!first) throw new Error(`The question shows no options:\n${text}`);
  return [first, ...others];
}
