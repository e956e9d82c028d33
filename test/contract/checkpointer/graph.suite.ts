import { AIMessage, HumanMessage, type BaseMessage } from "@langchain/core/messages";
import { Annotation, Command, interrupt, MessagesAnnotation, Send, StateGraph } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import type { CheckpointerUnderTest } from "./checkpointer.suite.ts";
import { newThread, sharedSaver } from "./use-saver.ts";

const append = Annotation<string[]>({ reducer: (left, right) => left.concat(right), default: () => [] });

export function graphSuite<S extends BaseCheckpointSaver>(adapter: CheckpointerUnderTest<S>): void {
  describe("real graphs", () => {
    const { use } = sharedSaver(adapter);

    test("an interrupted graph goes on where it was, with what it had", async () => {
      const calls: string[] = [];
      const graph = new StateGraph(Annotation.Root({ log: append }))
        .addNode("first", () => (calls.push("first"), { log: ["first"] }))
        .addNode("ask", () => ({ log: [`answer ${JSON.stringify(interrupt({ question: "?" }))}`] }))
        .addNode("last", () => ({ log: ["last"] }))
        .addEdge("__start__", "first")
        .addEdge("first", "ask")
        .addEdge("ask", "last")
        .compile({ checkpointer: use() });
      const config = newThread();
      await graph.invoke({ log: ["in"] }, { ...config, durability: "sync" });
      const state = await graph.getState(config);
      expect(state.next).toEqual(["ask"]);
      expect(state.tasks[0]?.interrupts[0]?.value).toEqual({ question: "?" });
      const result = await graph.invoke(new Command({ resume: { ok: 1 } }), { ...config, durability: "sync" });
      expect(result.log).toEqual(["in", "first", 'answer {"ok":1}', "last"]);
      expect(calls).toEqual(["first"]);
    });

    test("of a fan-out with one failing task only that one runs again", async () => {
      const calls: number[] = [];
      let fails = true;
      const graph = new StateGraph(Annotation.Root({ log: append }))
        .addNode("split", () => ({ log: ["split"] }))
        .addNode("work", ({ n }: { n: number }) => {
          calls.push(n);
          if (n === 2 && fails) throw new Error("not yet");
          return { log: [`work ${n}`] };
        })
        .addEdge("__start__", "split")
        .addConditionalEdges("split", () => [1, 2, 3].map((n) => new Send("work", { n })), ["work"])
        .compile({ checkpointer: use() });
      const config = newThread();
      await expect(graph.invoke({ log: [] }, { ...config, durability: "sync" })).rejects.toThrow("not yet");
      fails = false;
      const result = await graph.invoke(null, { ...config, durability: "sync" });
      expect(result.log.toSorted()).toEqual(["split", "work 1", "work 2", "work 3"]);
      expect(calls.toSorted()).toEqual([1, 2, 2, 3]);
    });

    test("a subgraph keeps its own namespace and is resumed inside", async () => {
      const calls: string[] = [];
      const inner = new StateGraph(Annotation.Root({ log: append }))
        .addNode("before", () => (calls.push("before"), { log: ["before"] }))
        .addNode("ask", () => ({ log: [String(interrupt("?"))] }))
        .addEdge("__start__", "before")
        .addEdge("before", "ask")
        .compile();
      const graph = new StateGraph(Annotation.Root({ log: append }))
        .addNode("inner", inner)
        .addEdge("__start__", "inner")
        .compile({ checkpointer: use() });
      const config = newThread();
      await graph.invoke({ log: [] }, { ...config, durability: "sync" });
      const spaces = new Set<string>();
      for await (const tuple of use().list({ configurable: { thread_id: String(config.configurable?.["thread_id"]) } }))
        spaces.add(String(tuple.config.configurable?.["checkpoint_ns"]));
      expect(spaces.size).toBe(2);
      const result = await graph.invoke(new Command({ resume: "yes" }), { ...config, durability: "sync" });
      expect(result.log).toEqual(["before", "yes"]);
      expect(calls).toEqual(["before"]);
    });

    test("a fork goes its own way and leaves the history as it was", async () => {
      const graph = new StateGraph(Annotation.Root({ n: Annotation<number> }))
        .addNode("double", ({ n }) => ({ n: n * 2 }))
        .addNode("add", ({ n }) => ({ n: n + 1 }))
        .addEdge("__start__", "double")
        .addEdge("double", "add")
        .compile({ checkpointer: use() });
      const config = newThread();
      expect(await graph.invoke({ n: 5 }, { ...config, durability: "sync" })).toEqual({ n: 11 });
      const history = [];
      for await (const state of graph.getStateHistory(config)) history.push(state);
      const doubled = history.find((state) => state.next[0] === "add");
      if (!doubled) throw new Error("no checkpoint before the last step");
      const fork = await graph.updateState(doubled.config, { n: 100 });
      expect(await graph.invoke(null, { ...fork, durability: "sync" })).toEqual({ n: 101 });
      const after = [];
      for await (const state of graph.getStateHistory(config)) after.push(state);
      expect(after.length).toBe(history.length + 2);
      for (const state of history) {
        const same = after.find((each) => each.config.configurable?.["checkpoint_id"] === state.config.configurable?.["checkpoint_id"]);
        expect(same?.values).toEqual(state.values);
      }
    });

    test("messages stay messages over invocations", async () => {
      const graph = new StateGraph(MessagesAnnotation)
        .addNode("answer", ({ messages }) => ({ messages: [new AIMessage(`heard ${messages.length}`)] }))
        .addEdge("__start__", "answer")
        .compile({ checkpointer: use() });
      const config = newThread();
      await graph.invoke({ messages: [new HumanMessage("one")] }, config);
      const { messages } = (await graph.invoke({ messages: [new HumanMessage("two")] }, config)) as { messages: BaseMessage[] };
      expect(messages.map((message) => [message.type, message.content])).toEqual([
        ["human", "one"],
        ["ai", "heard 1"],
        ["human", "two"],
        ["ai", "heard 3"],
      ]);
      expect(new Set(messages.map((message) => message.id)).size).toBe(4);
      for (const message of messages) expect(message).toBeInstanceOf(message.type === "ai" ? AIMessage : HumanMessage);
    });

    test("every durability gives the same end", async () => {
      const graph = new StateGraph(Annotation.Root({ log: append }))
        .addNode("a", () => ({ log: ["a"] }))
        .addNode("b", () => ({ log: ["b"] }))
        .addEdge("__start__", "a")
        .addEdge("a", "b")
        .compile({ checkpointer: use() });
      for (const durability of ["sync", "async", "exit"] as const) {
        const config = newThread();
        await graph.invoke({ log: [durability] }, { ...config, durability });
        expect((await graph.getState(config)).values.log).toEqual([durability, "a", "b"]);
      }
    });
  });
}
