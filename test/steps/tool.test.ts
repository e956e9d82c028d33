import { tool as langChainTool } from "@langchain/core/tools";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import type { JsonObject } from "../../src/definition/json.ts";
import type { StepInput } from "../../src/definition/step.ts";
import type { Policy } from "../../src/definition/workflow.ts";
import { createOutbound, type OutboundOptions } from "../../src/outbound/outbound.ts";
import { loadActions } from "../../src/registry.ts";
import { traceparentOf } from "../../src/telemetry/trace-ids.ts";
import { fromLangChain } from "../../src/tools/langchain-tool.ts";
import { createTools, type ToolsOptions } from "../../src/tools/tools.ts";
import { createEngine } from "../support/engine.ts";
import { startMcpServer, type TestMcpServer } from "../support/mcp-server.ts";

const ann = { id: "ann", tenant: "default" };
const retry = { maxAttempts: 3, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false };
const opened: { close(): PromiseLike<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

const calling = (config: JsonObject, more: Partial<StepInput> = {}, policy?: Partial<Policy>) => ({
  id: "use",
  name: "Use",
  steps: [{ id: "use", type: "tool", config, ...more }],
  output: { used: "${ steps.use.output }" },
  ...(policy && { policy }),
});

async function engineWith(options: Partial<ToolsOptions> & { server?: TestMcpServer; egress?: OutboundOptions } = {}) {
  const { server, egress, ...more } = options;
  const outbound = createOutbound(egress ?? { allow: server ? [server.entry] : [] });
  const mcp = server ? { orders: { url: server.url, headers: { Authorization: "Bearer secret://env/SIGNALBOX_SECRET_MCP" } } } : {};
  const readSecret = () => Promise.resolve("token-4711");
  const tools = createTools({ actions: await loadActions(), mcp, outbound, readSecret, ...more });
  opened.push(tools, { close: () => outbound[Symbol.asyncDispose]() });
  return await createEngine({ services: { tools } });
}

test("a tool of an MCP server is called; its structured content is the value, and its secret stays between the two", async () => {
  await using server = await startMcpServer();
  await using engine = await engineWith({ server });
  await engine.define(calling({ tool: "mcp:orders/find", args: { id: "${ input.order }" } }));
  const { id, output, error } = await engine.run("use", { order: "o-17" });
  expect({ output, error }).toEqual({
    error: null,
    output: { used: { tool: "mcp:orders/find", text: '{"id":"o-17","eur":12}', json: { id: "o-17", eur: 12 }, content: [] } },
  });
  expect(server.calls).toEqual([
    {
      tool: "find",
      args: { id: "o-17" },
      idempotencyKey: `${id}/use/1`,
      authorization: "Bearer token-4711",
      traceparent: traceparentOf(id, { stepId: "use", branch: null, visit: 1 }, () => true),
    },
  ]);
  expect(JSON.stringify(await engine.events(id))).not.toContain("4711");
});

test("a tool that echoes the secret of its server does not get it into the history", async () => {
  await using server = await startMcpServer();
  await using engine = await engineWith({ server });
  await engine.define(calling({ tool: "mcp:orders/echo" }));
  expect((await engine.run("use")).output).toMatchObject({ used: { text: "Bearer [secret]" } });
});

test("a server that forgot the session is asked anew, and the call is made once", async () => {
  await using server = await startMcpServer();
  await using engine = await engineWith({ server });
  await engine.define(calling({ tool: "mcp:orders/refund", args: { id: "o-1" } }, { effect: "once" }));
  expect((await engine.run("use")).output).toMatchObject({ used: { text: "Refunded o-1." } });
  server.forget();
  expect((await engine.run("use")).output).toMatchObject({ used: { text: "Refunded o-1." } });
  expect(server.calls).toHaveLength(2);
});

test("a tool that fails is tried again with the same key; arguments that do not fit are not, and never leave", async () => {
  await using server = await startMcpServer();
  await using engine = await engineWith({ server });
  await engine.define({ ...calling({ tool: "mcp:orders/fail" }, { retry }), id: "fail" });
  const failed = await engine.run("fail");
  expect(failed.error).toMatchObject({ code: "STEP_FAILED", message: expect.stringContaining("no such order") });
  expect(server.calls.map(({ idempotencyKey }) => idempotencyKey)).toEqual(Array.from({ length: 3 }, () => `${failed.id}/use/1`));
  await engine.define({ ...calling({ tool: "mcp:orders/find", args: { id: 7 } }, { retry }), id: "misfit" });
  expect((await engine.run("misfit")).error).toMatchObject({ code: "INVALID_INPUT", retryable: false });
  expect(server.calls).toHaveLength(3);
});

test("a tool that never answers ends in time, and with effect once a person is asked what happened", async () => {
  await using server = await startMcpServer();
  await using engine = await engineWith({ server });
  await engine.define({ ...calling({ tool: "mcp:orders/hang", timeout: "200ms" }), id: "slow" });
  expect((await engine.run("slow")).error).toMatchObject({ code: "STEP_TIMEOUT" });
  await engine.define({ ...calling({ tool: "mcp:orders/hang", timeout: "200ms" }, { effect: "once" }), id: "once" });
  expect((await engine.run("once")).waits).toMatchObject([{ kind: "effect" }]);
  await engine.define({ ...calling({ tool: "mcp:orders/hang" }), id: "cancelled" });
  const { id } = await engine.start("cancelled");
  await expect.poll(() => server.calls.length).toBe(3);
  expect((await engine.executor.cancel(ann, id)).status).toBe("CANCELLED");
});

test("a server inside is not connected to unless the operator opened it, and one that is down can be tried again", async () => {
  await using server = await startMcpServer();
  await using closed = await engineWith({ server, egress: {} });
  await closed.define(calling({ tool: "mcp:orders/find", args: { id: "o" } }, { retry }));
  expect((await closed.run("use")).error).toMatchObject({ code: "REQUEST_REFUSED" });
  expect(server.connections).toBe(0);
  const gone = await startMcpServer();
  await gone[Symbol.asyncDispose]();
  await using down = await engineWith({ server: gone });
  await down.define(calling({ tool: "mcp:orders/find", args: { id: "o" } }));
  expect((await down.run("use")).error).toMatchObject({ code: "STEP_FAILED", retryable: true });
});

test("only the tools that the operator and the policy name can be called", async () => {
  await using server = await startMcpServer();
  await using engine = await engineWith({ server, mcp: { orders: { url: server.url, tools: ["find"] } } });
  await engine.define({ ...calling({ tool: "mcp:orders/refund", args: { id: "o" } }), id: "unlisted" });
  expect((await engine.run("unlisted")).error).toMatchObject({ code: "INVALID_INPUT", message: 'There is no tool "mcp:orders/refund".' });
  for (const [id, allowedTools, expected] of [
    ["a", ["log"], "FORBIDDEN"],
    ["b", ["mcp:other/*"], "FORBIDDEN"],
    ["c", ["mcp:orders/*"], undefined],
    ["d", ["mcp:orders/find"], undefined],
  ] as const) {
    await engine.define({ ...calling({ tool: "mcp:orders/find", args: { id: "o" } }, {}, { allowedTools: [...allowedTools] }), id });
    expect((await engine.run(id)).error?.code).toBe(expected);
  }
  expect(server.calls.map(({ tool }) => tool)).toEqual(["find", "find"]);
});

test("a LangChain tool and an action are called the same way", async () => {
  const add = langChainTool(({ a, b }) => ({ sum: a + b }), {
    name: "add",
    description: "Adds.",
    schema: z.object({ a: z.number(), b: z.number() }),
  });
  await using engine = await engineWith({ own: [fromLangChain(add)] });
  await engine.define({ ...calling({ tool: "add", args: { a: 1, b: 2 } }), id: "own" });
  expect((await engine.run("own")).output).toMatchObject({ used: { text: '{"sum":3}', json: { sum: 3 } } });
  await engine.define({ ...calling({ tool: "add", args: { a: 1 } }), id: "misfit" });
  expect((await engine.run("misfit")).error).toMatchObject({ code: "INVALID_INPUT" });
  await engine.define({ ...calling({ tool: "random.uuid" }), id: "action" });
  expect((await engine.run("action")).output).toMatchObject({ used: { json: { uuid: expect.any(String) } } });
});

test("a tool that nobody has is found when the workflow is saved, one of a server when it is called", async () => {
  await using server = await startMcpServer();
  await using engine = await engineWith({ server });
  const issues = (tool: string) =>
    engine.workflows.validate(calling({ tool })).issues.map(({ pointer, message, hint }) => [pointer, message, hint]);
  expect(issues("random.uid")).toEqual([["/steps/0/config/tool", 'There is no tool "random.uid".', 'Did you mean "random.uuid"?']]);
  expect(issues("mcp:order/find")).toEqual([["/steps/0/config/tool", 'There is no MCP server "order".', 'Did you mean "orders"?']]);
  expect(issues("mcp:orders/none")).toEqual([]);
  await engine.define(calling({ tool: "mcp:orders/none" }));
  expect((await engine.run("use")).error).toMatchObject({ code: "INVALID_INPUT" });
});
