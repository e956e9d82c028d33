import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { PubSub } from "@google-cloud/pubsub";
import { expect, test } from "vitest";
import type { JsonObject } from "../../src/definition/json.ts";
import { freePort, ROOT } from "../e2e/support/child.ts";
import { emulated } from "./projects.ts";

interface Configuration {
  emulators: Record<"firestore" | "pubsub", { host: string; port: number }>;
}

const { emulators } = JSON.parse(readFileSync(path.join(ROOT, "firebase.json"), "utf8")) as Configuration;
const addressOf = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;
const GREETS = {
  id: "greet",
  name: "Greet",
  triggers: [{ id: "joined", type: "event", config: { eventType: "shop.customer.joined" }, input: { name: "${ event.data.name }" } }],
  steps: [{ id: "hello", type: "transform", config: { set: { text: "${ 'Hello ' + input.name }" } } }],
  output: { text: "${ steps.hello.output.text }" },
};

function isOpen({ host, port }: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

/** A script of package.json as somebody runs it, in a process group of its own, so that nothing of it outlives a test that fails. */
function startScript(name: string, env: Record<string, string>): AsyncDisposable & { output: () => string; stop: () => Promise<void> } {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn("npm", ["run", "--silent", name], {
    cwd: ROOT,
    detached: true,
    env: { PATH, HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return {
    output: () => output,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
    async [Symbol.asyncDispose]() {
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL");
      } catch {
        return; // it has ended
      }
      await exited;
    },
  };
}

test.runIf(emulated)(
  "npm run dev:gcp: an event over Pub/Sub starts an execution in Firestore, and all ends with it",
  { timeout: 120_000 },
  async () => {
    const port = await freePort();
    await using service = startScript("dev:gcp", { PORT: String(port) });
    const baseUrl = `http://127.0.0.1:${port}`;
    const isReady = () =>
      fetch(`${baseUrl}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await expect.poll(isReady, { timeout: 90_000, interval: 100 }).toBe(true);
    const call = async (route: string, body?: unknown): Promise<JsonObject> => {
      const init =
        body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
      const response = await fetch(`${baseUrl}/api/v1${route}`, init);
      const answer = (await response.json()) as JsonObject;
      if (!response.ok) throw new Error(`${route} answered ${response.status}: ${JSON.stringify(answer)}`);
      return answer;
    };
    await call("/workflows", GREETS);

    process.env["PUBSUB_EMULATOR_HOST"] = addressOf(emulators.pubsub);
    const client = new PubSub({ projectId: "demo-signalbox" });
    await client.topic("signalbox-events").publishMessage({
      json: { name: "Ada" },
      attributes: { type: "shop.customer.joined", source: "/shop", id: "1" },
    });
    await client.close();
    const first = async () => ((await call("/executions?workflowId=greet"))["items"] as JsonObject[] | undefined)?.[0];
    await expect.poll(async () => (await first())?.["status"], { timeout: 60_000, interval: 100 }).toBe("COMPLETED");
    expect(await call(`/executions/${String((await first())?.["id"])}`)).toMatchObject({
      output: { text: "Hello Ada" },
      trigger: { type: "event" },
    });

    // It is in Firestore, and not in a file.
    const documents = `http://${addressOf(emulators.firestore)}/v1/projects/demo-signalbox/databases/(default)/documents`;
    const found = await fetch(`${documents}/tenants/default/executions/${String((await first())?.["id"])}`, {
      headers: { authorization: "Bearer owner" },
    });
    expect(found.status).toBe(200);

    await service.stop();
    for (const emulator of [emulators.firestore, emulators.pubsub]) {
      await expect.poll(() => isOpen(emulator), { timeout: 30_000, interval: 200 }).toBe(false);
    }
  },
);
