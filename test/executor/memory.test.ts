import { expect, test } from "vitest";
import type { Script, ScriptRequest } from "../../src/ai/scripted.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import { createEngine, type Engine } from "../support/engine.ts";

/** An engine whose model answers with the number of its call, and what it was asked each time. */
async function talking(script: Script = ({ call }) => `answer ${call}`): Promise<{ engine: Engine; heard: () => string[][] }> {
  const requests: ScriptRequest[] = [];
  const spied: Script = (request) => {
    requests.push(request);
    return typeof script === "function" ? script(request) : (script[Math.min(request.call, script.length) - 1] ?? "");
  };
  const engine = await createEngine({ models: { default: "scripted:test", scripts: { test: spied } } });
  return { engine, heard: () => requests.map(({ messages }) => messages.map(({ text }) => text)) };
}

const prompt = (id: string, text: string, memory: JsonObject, nextSteps: string[] = []) => ({
  id,
  type: "prompt",
  config: { prompt: text, memory },
  nextSteps,
});

test("visits, prompts and agents of one execution go on with what was said under the same key", async () => {
  const { engine, heard } = await talking();
  await using _ = engine;
  await engine.define({
    id: "talk",
    name: "Talk",
    steps: [
      { id: "each", type: "loop", config: { loopType: "count", count: 2, maxIterations: 2, body: "say" }, nextSteps: ["agent"] },
      prompt("say", "round ${ index }", {}),
      { id: "agent", type: "agent", config: { prompt: "and?", memory: {} }, nextSteps: ["other"] },
      prompt("other", "you?", { key: "other" }),
    ],
  });
  const { id, status, variables } = await engine.run("talk");
  expect(status).toBe("COMPLETED");
  expect(heard()).toEqual([
    ["round 0"],
    ["round 0", "answer 1", "round 1"],
    ["round 0", "answer 1", "round 1", "answer 2", "and?"],
    ["you?"],
  ]);
  // It is no variable that anybody sees.
  expect(variables).toEqual({});
  const shown = JSON.stringify([await engine.executor.stateAt("default", id, 1_000), await engine.events(id)]);
  expect(shown).not.toContain("$memory");
});

test("branches hear what was said before they began, and what they said is heard after the join, in the definition's order", async () => {
  const { engine, heard } = await talking(({ text }) => `re ${text}`);
  await using _ = engine;
  await engine.define({
    id: "fan",
    name: "Fan",
    steps: [
      prompt("before", "before", {}, ["fan"]),
      {
        id: "fan",
        type: "parallel",
        config: {
          branches: [
            { name: "a", start: "a" },
            { name: "b", start: "b" },
          ],
          join: "after",
        },
      },
      prompt("a", "a", {}, ["after"]),
      prompt("b", "b", {}, ["after"]),
      prompt("after", "after", {}),
    ],
  });
  expect((await engine.run("fan")).status).toBe("COMPLETED");
  const [, a, b, after] = heard().toSorted(
    (left, right) => left.length - right.length || (left.at(-1) ?? "").localeCompare(right.at(-1) ?? ""),
  );
  expect(a).toEqual(["before", "re before", "a"]);
  expect(b).toEqual(["before", "re before", "b"]);
  expect(after).toEqual(["before", "re before", "a", "re a", "b", "re b", "after"]);
});

test("a thread is shared by executions that use its key, bounded by what the step asks for, and can be forgotten", async () => {
  const { engine, heard } = await talking();
  await using _ = engine;
  const memory = { scope: "thread", key: "support/${ input.customer }", last: 4 };
  await engine.define({ id: "ask", name: "Ask", steps: [prompt("ask", "${ input.text }", memory)] });
  for (const [customer, text] of [
    ["ann", "one"],
    ["ann", "two"],
    ["bob", "hello"],
    ["ann", "three"],
    ["ann", "four"],
  ]) {
    expect((await engine.run("ask", { customer: customer ?? "", text: text ?? "" })).status).toBe("COMPLETED");
  }
  expect(heard()).toEqual([
    ["one"],
    ["one", "answer 1", "two"],
    ["hello"],
    ["one", "answer 1", "two", "answer 2", "three"],
    ["two", "answer 2", "three", "answer 4", "four"],
  ]);
  expect(await engine.store.memories.delete("default", "support/ann")).toBe(true);
  await engine.run("ask", { customer: "ann", text: "five" });
  expect(heard().at(-1)).toEqual(["five"]);
});

test("only what a step finished with is remembered, once, however many attempts it took", async () => {
  const { engine, heard } = await talking([{ fail: { status: 503 } }, "good", "bad", "bad", "fine"]);
  await using _ = engine;
  const retry = { maxAttempts: 2, delay: "1ms", maxDelay: "1ms", jitter: false };
  const memory = { scope: "thread", key: "k" };
  const responseSchema = { type: "object" };
  await engine.define({
    id: "try",
    name: "Try",
    steps: [
      { ...prompt("first", "first", memory, ["second"]), retry },
      {
        id: "second",
        type: "prompt",
        config: { prompt: "second", memory, responseSchema },
        nextSteps: ["third", { to: "third", on: "error" }],
      },
      prompt("third", "third", memory),
    ],
  });
  expect((await engine.run("try")).status).toBe("COMPLETED");
  expect(heard().at(-1)).toEqual(["first", "good", "third"]);
  expect((await engine.store.memories.get("default", "k"))?.messages).toHaveLength(4);
});

test("values of secret variables are no part of what is remembered", async () => {
  const { engine } = await talking(["the code is s3cret-7"]);
  await using _ = engine;
  await engine.define({
    id: "hide",
    name: "Hide",
    variables: { code: { type: "string", secret: true, default: "s3cret-7" } },
    steps: [prompt("ask", "What is ${ vars.code }?", { scope: "thread", key: "k" })],
  });
  await engine.run("hide");
  expect((await engine.store.memories.get("default", "k"))?.messages).toEqual([
    { role: "user", content: "What is [secret]?" },
    { role: "assistant", content: "the code is [secret]" },
  ]);
});

test("tokens bound what is told, and what is told begins with a question", async () => {
  const { engine, heard } = await talking(() => "x".repeat(400));
  await using _ = engine;
  const talk = (id: string, memory: JsonObject) =>
    engine.define({ id, name: id, steps: [prompt("ask", "${ input.text }", { scope: "thread", key: "k", ...memory })] });
  await talk("free", {});
  await talk("tight", { maxTokens: 150 });
  await talk("odd", { last: 3 });
  for (const text of ["a", "b", "c"]) await engine.run("free", { text });
  await engine.run("tight", { text: "d" });
  expect(heard().at(-1)).toEqual(["c", "x".repeat(400), "d"]);
  await engine.run("odd", { text: "e" });
  expect(heard().at(-1)).toEqual(["d", "x".repeat(400), "e"]);
});
