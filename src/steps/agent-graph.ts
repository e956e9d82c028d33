import { Annotation, Command, END, interrupt, Send, START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";
import { modelError } from "../ai/failure.ts";
import type { Json } from "../definition/json.ts";
import { Turn, type Did, type Said } from "./agent-turns.ts";
import { runOwnGraph } from "./own-graph.ts";
import type { Kept, StepContext } from "./step.ts";

/** Calls of one answer that are made at the same time. */
const CALLS_AT_ONCE = 8;

/** A call on its way to the tool, with its number among all calls of the visit, from 1. */
export interface NumberedCall {
  call: Said["calls"][number];
  number: number;
}

/** What an agent does at its two nodes. */
export interface AgentWork<Q> {
  ask(turns: readonly Turn[], history: Json): Promise<Said>;
  /** What is wrong with an answer; undefined where nothing is. */
  problemWith(answer: Said): string | undefined;
  /** What a person is asked before a call is made; undefined where nobody is. */
  questionOf(call: NumberedCall): Q | undefined;
  call(call: NumberedCall): Promise<Did>;
}

const AgentState = Annotation.Root({
  turns: Annotation<Kept[]>({ reducer: (left, right) => [...left, ...right], default: () => [] }),
  /** What was said before this visit, read once. */
  history: Annotation<Kept>(),
});

interface AgentStart {
  history(): Promise<Json>;
}

/**
 * The ReAct loop as a LangGraph graph: `model` says something, each call it asks for is a task of `tool` in one superstep, and so on
 * until it asks for none. Each superstep is durable before the next, and each result of a call beside slower ones at once. Undefined
 * where it stopped between two of them.
 */
export async function runAgent<Q>(
  context: StepContext,
  work: AgentWork<Q>,
  { history }: AgentStart,
): Promise<{ turns: Turn[]; question: Q | undefined } | undefined> {
  const { thread } = context;
  const read = async (kept: readonly Kept[]) => z.array(Turn).parse(await thread.read(kept));
  const keep = (turn: Turn) => thread.keep(turn);

  async function model({ turns: kept, history: before }: typeof AgentState.State): Promise<Command> {
    const turns = await read(kept);
    const said = await work.ask(turns, (await thread.read([before]))[0] ?? null);
    const done = turns.filter((turn) => "did" in turn).length;
    if (said.calls.length > 0) {
      const goto = said.calls.map((call, index) => new Send("tool", { call, number: done + index + 1 } satisfies NumberedCall));
      return new Command({ update: { turns: [keep(said)] }, goto });
    }
    const problem = work.problemWith(said);
    if (problem === undefined) return new Command({ update: { turns: [keep(said)] }, goto: END });
    // Not kept: a further attempt asks the same question again.
    if (turns.some((turn) => "told" in turn))
      throw modelError("invalid", `${said.model} gave no answer that fits the schema: ${problem}`, { model: said.model });
    const told = `That answer cannot be used. ${problem} Answer again with JSON of the schema and nothing else.`;
    return new Command({ update: { turns: [keep(said), keep({ told })] }, goto: "model" });
  }

  async function tool(call: NumberedCall): Promise<{ turns: Kept[] }> {
    const question = work.questionOf(call);
    if (question !== undefined) interrupt(question);
    return { turns: [keep(await work.call(call))] };
  }

  const graph = new StateGraph(AgentState)
    .addNode("model", model, { ends: ["model", "tool", END] })
    // A Send carries the call instead of the state.
    .addNode("tool", tool as unknown as (state: typeof AgentState.State) => Promise<{ turns: Kept[] }>)
    .addEdge(START, "model")
    .addEdge("tool", "model")
    .compile({ checkpointer: thread.checkpointer });
  const ended = await runOwnGraph<typeof AgentState.State, Q>(context, {
    maxConcurrency: CALLS_AT_ONCE,
    async invoke(config, hasBegun) {
      if (hasBegun) return await graph.invoke(null, config);
      return await graph.invoke(new Command({ update: { history: thread.keep(await history()) }, goto: "model" }), config);
    },
  });
  return ended && { turns: await read(ended.state.turns), question: ended.interrupts[0] };
}
