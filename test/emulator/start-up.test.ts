import { describe, expect, inject, test } from "vitest";
import { freePort, pause, startChild } from "../e2e/support/child.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";

const emulators = inject("emulators");

describe.runIf(emulators)("a process that starts while Firestore is away", () => {
  test("waits without ending, becomes ready by itself, and works", { timeout: 60_000 }, async () => {
    await using proxy = await startFaultProxy(emulators?.firestore ?? "");
    proxy.set("refuse");
    const port = await freePort();
    const env = {
      PORT: String(port),
      SIGNALBOX_STORE: `firestore:demo-start-up-${port}`,
      SIGNALBOX_LOG: "silent",
      FIRESTORE_EMULATOR_HOST: proxy.address,
      METADATA_SERVER_DETECTION: "none",
    };
    await using service = startChild({ args: ["src/main.ts"], port, env, readyPath: "/readyz" });
    while ((await statusOf(`${service.baseUrl}/livez`)) === 0) {
      expect(service.ended, service.output).toBeUndefined();
      await pause(100);
    }
    // Each look takes the 2 s that readiness gives the store.
    for (let look = 0; look < 2; look++) {
      expect([await statusOf(`${service.baseUrl}/livez`), await statusOf(`${service.baseUrl}/readyz`)]).toEqual([200, 503]);
    }
    expect(service.ended).toBeUndefined();

    proxy.set("pass");
    await service.ready();
    const headers = { "content-type": "application/json" };
    const steps = [
      { id: "begin", type: "start", nextSteps: ["finish"] },
      { id: "finish", type: "end" },
    ];
    const definition = JSON.stringify({ id: "line", name: "Line", status: "active", steps });
    await fetch(`${service.baseUrl}/api/v1/workflows`, { method: "POST", headers, body: definition });
    const response = await fetch(`${service.baseUrl}/api/v1/workflows/line/execute?wait=20s`, { method: "POST", headers, body: "{}" });
    expect(await response.json()).toMatchObject({ status: "COMPLETED" });
    await service.stop();
    expect(service.ended).toEqual({ code: 0, signal: null });
  });
});

async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3_000) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}
