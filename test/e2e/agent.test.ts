import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import type { ExecutionEvent } from "../../src/definition/event.ts";
import { clientOf } from "../api/support.ts";
import { startMcpServer } from "../support/mcp-server.ts";
import { startOpenAIServer } from "../support/openai-server.ts";
import { freePort, pause } from "./support/child.ts";
import { startService } from "./support/service.ts";

interface View {
  id: string;
  status: string;
  output: unknown;
}

test("an agent whose process is killed between its calls repeats only the call that was under way, with its key", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "signalbox-agent-"));
  await using mcp = await startMcpServer();
  await using model = await startOpenAIServer(
    {
      toolCalls: [
        { name: "orders_find", arguments: '{"id":"o-1"}' },
        { name: "orders_refund", arguments: '{"id":"o-1"}' },
      ],
    },
    "Refunded.",
  );
  mcp.hold = new Promise(() => {});
  const service = {
    port: await freePort(),
    database: path.join(folder, "agent.db"),
    env: {
      OPENAI_BASE_URL: model.baseUrl,
      SIGNALBOX_EGRESS_ALLOW: mcp.entry,
      SIGNALBOX_MCP: JSON.stringify({ orders: { url: mcp.url } }),
      SIGNALBOX_SWEEP_MS: "200",
    },
  };
  const config = { model: "openai:gpt-4o", prompt: "Refund o-1.", tools: ["mcp:orders/*"] };
  const steps = [{ id: "agent", type: "agent", config }];
  let id: string;
  {
    await using first = startService(service);
    await first.ready();
    const { call } = clientOf(first.baseUrl);
    await call("POST /api/v1/workflows", { body: { id: "w", name: "w", steps, output: { text: "${ steps.agent.output.text }" } } });
    ({ id } = (await call<View>("POST /api/v1/workflows/w/execute", { body: {} })).body);
    // The call beside the one that hangs is done, and so is its record.
    const isNoted = async () => {
      const { items } = (await call<{ items: ExecutionEvent[] }>(`GET /api/v1/executions/${id}/events`)).body;
      return items.some(({ type, data }) => type === "tool.called" && data["tool"] === "mcp:orders/find");
    };
    await expect.poll(() => mcp.calls.length, { timeout: 20_000 }).toBe(2);
    await expect.poll(isNoted, { timeout: 20_000 }).toBe(true);
    await first.kill();
  }
  mcp.hold = undefined;
  await using second = startService(service);
  await second.ready();
  const { call } = clientOf(second.baseUrl);
  let view: View | undefined;
  for (const end = Date.now() + 30_000; Date.now() < end && view?.status !== "COMPLETED"; await pause(50))
    view = (await call<View>(`GET /api/v1/executions/${id}`)).body;
  expect(view).toMatchObject({ status: "COMPLETED", output: { text: "Refunded." } });
  expect(mcp.calls.map(({ tool, idempotencyKey }) => [tool, idempotencyKey])).toEqual([
    ["find", `${id}/agent/1/1`],
    ["refund", `${id}/agent/1/2`],
    ["refund", `${id}/agent/1/2`],
  ]);
  expect(model.requests).toHaveLength(2);
  await rm(folder, { recursive: true });
});
