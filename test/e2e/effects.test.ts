import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { freePort, type Child } from "./support/child.ts";
import { startService } from "./support/service.ts";

const folder = mkdtempSync(path.join(tmpdir(), "signalbox-effects-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a process killed between an effect and its record leaves a question, and nothing is paid twice unless somebody says so", async () => {
  const ledger = path.join(folder, "ledger");
  writeFileSync(ledger, "");
  const paid = () => readFileSync(ledger, "utf8").split("\n").filter(Boolean);
  const env = { SIGNALBOX_STEPS: path.join(import.meta.dirname, "steps") };
  const start = async () => {
    const child = startService({ port: await freePort(), database: path.join(folder, "store.db"), env });
    await child.ready();
    return child;
  };
  await using first = await start();
  const pay = { id: "pay", type: "pay", effect: "once", config: { ledger } };
  await call(first, "POST /api/v1/workflows", { id: "pay", name: "Pay", steps: [pay], output: { pay: "${ steps.pay.output }" } });
  const ids: string[] = [];
  for (let n = 0; n < 2; n++) ids.push(String((await call(first, "POST /api/v1/workflows/pay/execute", {}))["id"]));
  await expect.poll(() => paid().length, { timeout: 10_000 }).toBe(2);
  await first.kill();
  await using second = await start();
  const unknown = async () =>
    (await call(second, "GET /api/v1/effects"))["items"] as { id: string; executionId: string; idempotencyKey: string }[];
  await expect.poll(async () => (await unknown()).length, { timeout: 10_000 }).toBe(2);
  expect((await unknown()).map(({ idempotencyKey }) => idempotencyKey).toSorted()).toEqual(paid().toSorted());
  const settle = async (executionId: string | undefined, answer: object) => {
    const effect = (await unknown()).find((each) => each.executionId === executionId);
    await call(second, `POST /api/v1/effects/${effect?.id}/settle`, answer);
    await expect.poll(async () => (await call(second, `GET /api/v1/executions/${executionId}`))["status"]).toBe("COMPLETED");
    return (await call(second, `GET /api/v1/executions/${executionId}`))["output"];
  };
  expect(await settle(ids[0], { outcome: "happened", output: "receipt 7" })).toEqual({ pay: "receipt 7" });
  expect(paid()).toHaveLength(2);
  expect(await settle(ids[1], { outcome: "retry" })).toEqual({ pay: "paid again" });
  // With the same key, so that a receiver that knows it would have paid once.
  expect(paid().filter((key) => key === `${ids[1]}/pay/1`)).toHaveLength(2);
});

async function call(child: Child, route: string, body?: object): Promise<Record<string, unknown>> {
  const [method = "GET", address = "/"] = route.split(" ");
  const response = await fetch(child.baseUrl + address, {
    method,
    ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  expect(response.ok, JSON.stringify(answer)).toBe(true);
  return answer;
}
