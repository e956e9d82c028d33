import { expect, test } from "vitest";
import { LINE } from "./definitions.ts";
import { startApi } from "./support.ts";

test("/metrics shows what ran, by route pattern and never by path", async () => {
  await using api = await startApi();
  await api.call("POST /api/v1/workflows", { body: { ...LINE, status: "active" } });
  await api.execute("line", { input: { amount: 1 } });
  await api.call("GET /wp-admin/setup.php");
  await api.call("GET /.env");
  const socket = await api.socket();
  const response = await fetch(`${api.base}/metrics`);
  const text = await response.text();
  expect(response.headers.get("content-type")).toContain("text/plain");
  expect(text).toContain('workflow_execution_time_count{workflow="line",status="COMPLETED"} 1');
  expect(text).toContain('workflow_step_completion{type="transform",success="true"} 3');
  expect(text).toMatch(/signalbox_http_seconds_count\{route="\/api\/v1\/workflows\/:id\/execute",method="POST",status="20\d"\} 1/);
  expect(text).toContain('signalbox_http_seconds_count{route="none",method="GET",status="404"} 2');
  expect(text).not.toMatch(/wp-admin|\.env/);
  expect(text).toMatch(/signalbox_worker_slots 64\n/);
  expect(text).toMatch(/signalbox_sockets 1\n/);
  expect(text).toMatch(/nodejs_eventloop_lag_p99_seconds \d/);
  socket.ws.terminate();
});

test("a process that only answers has no slots", async () => {
  await using api = await startApi({ SIGNALBOX_ROLE: "api" });
  expect(await (await fetch(`${api.base}/metrics`)).text()).toMatch(/signalbox_worker_slots 0\n/);
});
