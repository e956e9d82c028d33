import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineAction, type Action, type ActionContext } from "../../src/actions/action.ts";
import type { Script, ScriptRequest } from "../../src/ai/scripted.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import type { ModelToken } from "../../src/definition/event.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import type { StepInput } from "../../src/definition/step.ts";
import { createTools } from "../../src/tools/tools.ts";
import { createEngine, testInMemory, type EngineOptions } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";
import { startOpenAIServer } from "../support/openai-server.ts";

const retry = { maxAttempts: 3, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false };
const call = (name: string, args: JsonObject = {}) => ({ toolCalls: [{ name, args }] });

const asking = (config: JsonObject = {}, more: Partial<StepInput> = {}) => ({
  id: "ask",
  name: "Ask",
  steps: [{ id: "agent", type: "agent", config: { prompt: "${ input.task }", tools: ["add", "pay"], ...config }, ...more }],
  output: { agent: "${ steps.agent.output }" },
});

/** Two tools, and a model that says what the script says. */
function agentOf(script: Script, { pay = () => "paid" }: { pay?: (context: ActionContext<{ amount: number }>) => unknown } = {}) {
  const calls: { tool: string; key: string }[] = [];
  const add = defineAction({
    name: "add",
    title: "Add",
    description: "Adds two numbers.",
    input: z.strictObject({ a: z.number(), b: z.number() }),
    effect: "none",
    run({ input: { a, b }, idempotencyKey }) {
      calls.push({ tool: "add", key: idempotencyKey });
      return { sum: a + b };
    },
  });
  const payment = defineAction({
    name: "pay",
    title: "Pay",
    description: "Pays an amount.",
    input: z.strictObject({ amount: z.number() }),
    effect: "idempotent",
    run(context) {
      calls.push({ tool: "pay", key: context.idempotencyKey });
      return pay(context) as null;
    },
  });
  const requests: ScriptRequest[] = [];
  const spied: Script = (request) => {
    requests.push(request);
    if (typeof script === "function") return script(request);
    return script[Math.min(request.call, script.length) - 1] ?? "";
  };
  const list = [add as Action, payment as Action];
  const actions = { get: (name: string) => list.find((action) => action.name === name), list: () => list };
  const options: EngineOptions = {
    services: { actions, tools: createTools({ actions }) },
    models: { default: "scripted:test", scripts: { test: spied } },
  };
  return { options, calls, requests };
}

const rolesOf = ({ messages }: ScriptRequest) => messages.map(({ type }) => type);

describe("an agent", () => {
  test("calls tools until it has an answer, each with a key of its own, and everything is in the history", async () => {
    const { options, calls, requests } = agentOf([
      {
        text: "Let me add.",
        toolCalls: [
          { name: "add", args: { a: 1, b: 2 } },
          { name: "pay", args: { amount: 3 } },
        ],
      },
      "Paid 3.",
    ]);
    await using engine = await createEngine(options);
    await engine.define(asking({ system: "Be careful." }));
    const { id, output, usage } = await engine.run("ask", { task: "Add and pay." });
    expect(output).toMatchObject({
      agent: {
        text: "Paid 3.",
        iterations: 2,
        offline: true,
        calls: [
          { tool: "add", ok: true },
          { tool: "pay", ok: true },
        ],
      },
    });
    expect(calls).toEqual([
      { tool: "add", key: `${id}/agent/1/1` },
      { tool: "pay", key: `${id}/agent/1/2` },
    ]);
    expect(requests.map(rolesOf)).toEqual([
      ["system", "human"],
      ["system", "human", "ai", "tool", "tool"],
    ]);
    expect(requests[1]?.messages.map(({ text }) => text)).toEqual(["Be careful.", "Add and pay.", "Let me add.", '{"sum":3}', "paid"]);
    expect(usage.modelCalls).toBe(2);
    const events = await engine.events(id);
    expect(
      events
        .filter(({ type }) => ["model.usage", "tool.called"].includes(type))
        .map(({ type, data }) => [type, data["tool"] ?? null, data["args"] ?? null]),
    ).toEqual([
      ["model.usage", null, null],
      ["tool.called", "add", { a: 1, b: 2 }],
      ["tool.called", "pay", { amount: 3 }],
      ["model.usage", null, null],
    ]);
    expect(Object.keys((await engine.executor.get("default", id)).checkpoints)).toEqual([""]);
  });

  test("is told what went wrong with a call, and may do better", async () => {
    const { options, calls, requests } = agentOf([call("none"), call("add", { a: 1 }), call("pay", { amount: 1 }), "Done."], {
      pay: () => Promise.reject(new Error("the bank is closed")),
    });
    await using engine = await createEngine(options);
    await engine.define(asking());
    expect((await engine.run("ask", { task: "x" })).output).toMatchObject({
      agent: { calls: [{ ok: false }, { ok: false }, { ok: false }] },
    });
    expect(requests.slice(1).map(({ messages }) => messages.at(-1)?.text)).toEqual([
      'There is no tool "none".',
      expect.stringContaining("Error INVALID_INPUT"),
      expect.stringContaining("the bank is closed"),
    ]);
    expect(calls).toHaveLength(1);
  });

  test.each([
    ["maxIterations", { maxIterations: 3 }, 3],
    ["maxToolCalls", { maxToolCalls: 2 }, 3],
  ])("at %s it is asked without tools, or fails by name", async (_name, config, modelCalls) => {
    const script: Script = ({ messages }) =>
      messages.at(-1)?.text.startsWith("There are no more calls") ? "Enough." : call("add", { a: 1, b: 1 });
    const lenient = agentOf(script);
    await using engine = await createEngine(lenient.options);
    await engine.define(asking(config));
    expect((await engine.run("ask", { task: "x" })).output).toMatchObject({ agent: { text: "Enough.", iterations: modelCalls } });
    expect(lenient.calls).toHaveLength(2);
    await engine.define({ ...asking({ ...config, onLimit: "fail" }), id: "strict" });
    expect((await engine.run("strict", { task: "x" })).error).toMatchObject({ code: "BUDGET_EXCEEDED" });
  });

  test("never calls more tools than it may, whatever the model asks for at once", async () => {
    const { options, calls } = agentOf([
      { toolCalls: Array.from({ length: 5 }, () => ({ name: "add", args: { a: 1, b: 1 } })) },
      "Enough.",
    ]);
    await using engine = await createEngine(options);
    await engine.define(asking({ maxToolCalls: 2 }));
    const { output } = await engine.run("ask", { task: "x" });
    expect(calls).toHaveLength(2);
    expect(output).toMatchObject({
      agent: { text: "Enough.", calls: [{ ok: true }, { ok: true }, { ok: false }, { ok: false }, { ok: false }] },
    });
  });

  test("answers with JSON of a schema, and is asked once more where it does not", async () => {
    const responseSchema = { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] };
    const good = agentOf([call("add", { a: 1, b: 2 }), "three", '{"sum":3}']);
    await using engine = await createEngine(good.options);
    await engine.define(asking({ responseSchema }));
    expect((await engine.run("ask", { task: "x" })).output).toMatchObject({ agent: { json: { sum: 3 }, iterations: 3 } });
    const bad = agentOf(["three"]);
    await using other = await createEngine(bad.options);
    await other.define(asking({ responseSchema }));
    expect((await other.run("ask", { task: "x" })).error).toMatchObject({ code: "MODEL_FAILED" });
    expect(bad.requests).toHaveLength(2);
  });

  test("keeps to the workflow's token budget and to the tools of its policy", async () => {
    const { options, calls } = agentOf([{ ...call("add", { a: 1, b: 1 }), usage: { in: 90, out: 20 } }]);
    await using engine = await createEngine(options);
    await engine.define({ ...asking(), limits: { maxTokens: 100 } });
    expect((await engine.run("ask", { task: "x" })).error).toMatchObject({ code: "BUDGET_EXCEEDED" });
    expect(calls).toHaveLength(1);
    await engine.define({ ...asking(), id: "forbidden", policy: { allowedTools: ["add"] } });
    expect((await engine.run("forbidden", { task: "x" })).error).toMatchObject({ code: "FORBIDDEN" });
  });

  test("a tool that nobody has is found when the workflow is saved", async () => {
    const { options } = agentOf([]);
    await using engine = await createEngine(options);
    expect(engine.workflows.validate(asking({ tools: ["add", "pai"] })).issues).toMatchObject([
      { pointer: "/steps/0/config/tools/1", message: 'There is no tool "pai".', hint: 'Did you mean "pay"?' },
    ]);
  });

  test("makes the calls of one answer side by side", async () => {
    let under = 0;
    let most = 0;
    const both = Promise.withResolvers<void>();
    const pays = { toolCalls: [1, 2].map((amount) => ({ name: "pay", args: { amount } })) };
    const { options, requests } = agentOf([pays, "Done."], {
      async pay({ input }) {
        most = Math.max(most, ++under);
        if (under === 2) both.resolve();
        await both.promise;
        // The first ends last.
        if (input.amount === 1) await new Promise((resolve) => setImmediate(resolve));
        under -= 1;
        return `paid ${input.amount}`;
      },
    });
    await using engine = await createEngine(options);
    await engine.define(asking());
    expect((await engine.run("ask", { task: "x" })).status).toBe("COMPLETED");
    expect(most).toBe(2);
    expect(requests[1]?.messages.slice(-2).map(({ text }) => text)).toEqual(["paid 1", "paid 2"]);
  });

  test("streams what it says, calls of tools or not", async () => {
    await using server = await startOpenAIServer(
      { content: "Let me add these. ", toolCalls: [{ name: "add", arguments: '{"a":1,"b":2}' }] },
      "The sum is three.",
    );
    const { options } = agentOf([]);
    await using engine = await createEngine({ ...options, models: { openai: { baseUrl: server.baseUrl } } });
    await engine.define(asking({ model: "openai:gpt-4o" }));
    const stop = new AbortController();
    const { id } = await engine.start("ask", { task: "1 + 2?" });
    const tokens: ModelToken[] = [];
    for await (const token of engine.executor.tokens("default", id, { signal: stop.signal })) {
      tokens.push(token);
      if (tokens.filter(({ done }) => done).length === 2) stop.abort();
    }
    expect(tokens.map(({ text, done }) => (done ? "|" : text)).join("")).toBe("Let me add these. |The sum is three.|");
    expect(tokens[0]).toMatchObject({ stepId: "agent", visit: 1, index: 0 });
    expect(tokens.length).toBeGreaterThan(4);
    expect(server.requests[0]?.body.stream).toBe(true);
  });

  test("speaks OpenAI's protocol: tools out, calls in, results out", async () => {
    await using server = await startOpenAIServer(
      { toolCalls: [{ name: "add", arguments: '{"a":1,"b":2}' }] },
      { toolCalls: [{ name: "add", arguments: "{broken" }] },
      "3",
    );
    const { options, calls } = agentOf([]);
    await using engine = await createEngine({ ...options, models: { openai: { baseUrl: server.baseUrl } } });
    await engine.define(asking({ model: "openai:gpt-4o" }));
    expect((await engine.run("ask", { task: "1 + 2?" })).output).toMatchObject({
      agent: { text: "3", calls: [{ ok: true }, { ok: false }] },
    });
    expect(calls).toHaveLength(1);
    const [first, , last] = server.requests.map(({ body }) => body as unknown as JsonObject);
    expect(first?.["tools"]).toMatchObject([
      { type: "function", function: { name: "add", parameters: { required: ["a", "b"] } } },
      { function: { name: "pay" } },
    ]);
    expect(last?.["messages"]).toMatchObject([
      { role: "user", content: "1 + 2?" },
      { role: "assistant", tool_calls: [{ id: "call_0", function: { name: "add", arguments: '{"a":1,"b":2}' } }] },
      { role: "tool", tool_call_id: "call_0", content: '{"sum":3}' },
      { role: "assistant" },
      { role: "tool", content: "The arguments are no JSON object." },
    ]);
  });
});

describe("calls that a person must allow", () => {
  const pay = call("pay", { amount: 5 });
  const approve = { tools: ["pay"], assignees: ["ann"] };
  const lastOf = (requests: ScriptRequest[]) => requests.at(-1)?.messages.at(-1)?.text;
  const ann = { ...LOCAL_PRINCIPAL, id: "ann" };

  async function asked(script: Script, config: JsonObject = { approve }, options: EngineOptions = {}) {
    const amounts: number[] = [];
    const agent = agentOf(script, { pay: ({ input }) => (amounts.push(input.amount), "paid") });
    const engine = await createEngine({ ...agent.options, ...options });
    await engine.define(asking(config));
    const { id } = await engine.run("ask", { task: "x" });
    const open = async () => (await engine.executor.waits("default", { executionId: id, status: "open", pageSize: 5 })).items;
    const answer = async (data: JsonObject) => {
      const [wait] = await open();
      await engine.executor.answer(ann, wait?.id ?? "", data);
      return await engine.settled(id);
    };
    return { ...agent, engine, id, open, answer, amounts };
  }

  test("the call is asked for with its arguments, and made with its key once it is allowed", async () => {
    const { engine, id, open, answer, calls, requests } = await asked([pay, "Paid."]);
    await using _ = engine;
    expect(calls).toEqual([]);
    expect(await open()).toMatchObject([
      {
        kind: "approval",
        title: "Call pay?",
        request: { assignees: ["ann"], choices: ["approve", "edit", "reject"], evidence: { tool: "pay", args: { amount: 5 } } },
      },
    ]);
    expect(await answer({ decision: "approve" })).toMatchObject({ status: "COMPLETED", output: { agent: { text: "Paid." } } });
    expect(calls).toEqual([{ tool: "pay", key: `${id}/agent/1/1` }]);
    expect(requests).toHaveLength(2);
  });

  test("a person may change the arguments, or refuse with a reason; the model is told", async () => {
    const edited = await asked([pay, "Paid."]);
    await using _ = edited.engine;
    await edited.answer({ decision: "edit", values: { amount: 3 } });
    expect(edited.amounts).toEqual([3]);
    expect(lastOf(edited.requests)).toBe('paid\n(A person changed the arguments to {"amount":3}.)');
    const refused = await asked([pay, "Then not."]);
    await using __ = refused.engine;
    const { output } = await refused.answer({ decision: "reject", reason: "too much" });
    expect(output).toMatchObject({ agent: { text: "Then not.", calls: [{ tool: "pay", ok: false }] } });
    expect(refused.amounts).toEqual([]);
    expect(lastOf(refused.requests)).toBe("Not called: a person refused it: too much");
  });

  test("of several calls at once the free ones are made at once, and the others are asked for one after the other", async () => {
    const three = {
      toolCalls: [
        { name: "pay", args: { amount: 1 } },
        { name: "add", args: { a: 1, b: 1 } },
        { name: "pay", args: { amount: 2 } },
      ],
    };
    const { engine, answer, open, calls, requests } = await asked([three, "Done."]);
    await using _ = engine;
    expect(calls.map(({ tool }) => tool)).toEqual(["add"]);
    expect((await answer({ decision: "approve" })).status).toBe("RUNNING");
    expect(await open()).toMatchObject([{ request: { evidence: { args: { amount: 2 } } } }]);
    expect((await answer({ decision: "reject" })).output).toMatchObject({ agent: { calls: [{ ok: true }, { ok: true }, { ok: false }] } });
    expect(calls.map(({ tool }) => tool)).toEqual(["add", "pay"]);
    expect(requests).toHaveLength(2);
    expect(requests[1]?.messages.slice(-3).map(({ text }) => text)).toEqual(["paid", '{"sum":2}', "Not called: a person refused it."]);
  });

  testInMemory("where nobody answers in time the model is told, or the step leaves by timeout", async () => {
    for (const [onTimeout, expected] of [
      ["reject", { status: "COMPLETED", output: { agent: { text: "Then not." } } }],
      ["route", { status: "FAILED", error: { code: "WAIT_EXPIRED" } }],
    ] as const) {
      const clock = manualClock();
      const { engine, id, calls } = await asked([pay, "Then not."], { approve: { ...approve, timeout: "1h", onTimeout } }, { clock });
      await using _ = engine;
      clock.advance(3_600_000);
      await engine.worker.idle();
      expect(await engine.executor.get("default", id)).toMatchObject(expected);
      expect(calls).toEqual([]);
    }
  });

  test("a call that would not be made anyway is not asked for", async () => {
    const { engine, id } = await asked([call("none"), "Done."], { approve: { tools: ["*"] } });
    await using _ = engine;
    expect((await engine.executor.get("default", id)).status).toBe("COMPLETED");
  });
});

describe("an agent goes on where it was", () => {
  test("after a model call that failed: no tool is called again", async () => {
    let failures = 2;
    const script: Script = ({ messages }) => {
      if (!messages.some(({ type }) => type === "tool")) return call("pay", { amount: 1 });
      return failures-- > 0 ? { fail: { status: 503 } } : "Paid.";
    };
    const { options, calls, requests } = agentOf(script);
    await using engine = await createEngine(options);
    await engine.define(asking({}, { retry }));
    expect((await engine.run("ask", { task: "x" })).output).toMatchObject({ agent: { text: "Paid.", iterations: 2 } });
    expect(calls).toHaveLength(1);
    expect(requests).toHaveLength(4);
  });

  test("after a failure that somebody retried, large results included", async () => {
    let isBroken = true;
    const script: Script = ({ messages }) => {
      const result = messages.find(({ type }) => type === "tool");
      if (!result) return call("pay", { amount: 1 });
      return isBroken ? { fail: { status: 400 } } : `Read ${result.text.length} characters.`;
    };
    const { options, calls } = agentOf(script, { pay: () => "x".repeat(15_000) });
    await using engine = await createEngine(options);
    await engine.define(asking());
    const { id, status } = await engine.run("ask", { task: "x" });
    expect(status).toBe("FAILED");
    isBroken = false;
    await engine.executor.retry(LOCAL_PRINCIPAL, id);
    await expect
      .poll(async () => (await engine.executor.get("default", id)).output)
      .toMatchObject({ agent: { text: "Read 15000 characters." } });
    expect(calls).toHaveLength(1);
  });

  testInMemory(
    "after a worker stopped between two rounds: no call is made again, whatever an approval in time would have routed",
    async () => {
      const { promise: paying, resolve } = Promise.withResolvers<string>();
      const { options, calls, requests } = agentOf(
        ({ messages }) => (messages.some(({ type }) => type === "tool") ? "Paid." : call("pay", { amount: 1 })),
        { pay: () => paying },
      );
      await using engine = await createEngine({ ...options, consume: false });
      await engine.define(asking({ approve: { tools: ["add"], timeout: "1h", onTimeout: "route" } }));
      const { id } = await engine.start("ask", { task: "x" });
      engine.worker.take({ tenant: "default", executionId: id });
      await expect.poll(() => calls.length).toBe(1);
      const drained = engine.worker.drain(60_000);
      resolve("paid");
      await drained;
      expect(await engine.executor.get("default", id)).toMatchObject({ status: "RUNNING", owner: null });
      expect(requests).toHaveLength(1);
      const second = engine.addWorker("worker-2");
      second.take({ tenant: "default", executionId: id });
      await second.idle();
      expect((await engine.executor.get("default", id)).output).toMatchObject({ agent: { text: "Paid.", iterations: 2 } });
      expect(requests).toHaveLength(2);
      expect(calls).toHaveLength(1);
    },
  );

  testInMemory("after a crash inside the second tool call: the first is not made again, the second is, with its key", async () => {
    const clock = manualClock();
    const { promise: stale, resolve } = Promise.withResolvers<string>();
    let paid = 0;
    const { options, calls, requests } = agentOf(
      ({ messages }) =>
        messages.some(({ type }) => type === "tool")
          ? "Done."
          : {
              toolCalls: [
                { name: "add", args: { a: 1, b: 1 } },
                { name: "pay", args: { amount: 1 } },
              ],
            },
      { pay: () => (++paid === 1 ? stale : "paid") },
    );
    await using engine = await createEngine({ ...options, clock, leaseMs: 10_000 });
    await engine.define(asking());
    const { id } = await engine.start("ask", { task: "x" });
    await expect.poll(() => calls.length).toBe(2);
    // What is done is durable without waiting for what is not.
    await expect.poll(async () => (await engine.events(id)).some(({ type }) => type === "tool.called")).toBe(true);
    // The first worker stops beating: as a stopped process does, time goes on without its timers.
    const second = engine.addWorker("worker-2");
    const now = ((await engine.executor.get("default", id)).leaseUntil ?? 0) + 1;
    Object.assign(clock, { now: () => now });
    second.take({ tenant: "default", executionId: id });
    await second.idle();
    resolve("from the stale worker");
    await engine.worker.idle();
    expect(await engine.executor.get("default", id)).toMatchObject({
      status: "COMPLETED",
      output: { agent: { text: "Done.", iterations: 2 } },
    });
    expect(calls).toEqual([
      { tool: "add", key: `${id}/agent/1/1` },
      { tool: "pay", key: `${id}/agent/1/2` },
      { tool: "pay", key: `${id}/agent/1/2` },
    ]);
    expect(requests).toHaveLength(2);
    const told = (await engine.events(id)).filter(({ type }) => type === "tool.called");
    expect(told.map(({ data, attempt }) => [data["tool"], attempt])).toEqual([
      ["add", 1],
      ["pay", 2],
    ]);
  });
});
