import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { PubSub } from "@google-cloud/pubsub";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureChannel } from "../../src/adapters/pubsub/channel.ts";
import { CODE } from "../../src/adapters/pubsub/client.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";

// The emulator creates whatever is asked for and forbids nothing: refusals come from a server that speaks as much of gRPC as they need.
const OK = 0;
const PATH = "projects/p/topics/signalbox-events";

let clock: ManualClock;
let server: Http2Server;
let client: PubSub;
/** gRPC status by method; a method that is not here is never answered. */
let answers: Record<string, number>;
let asked: string[];

beforeEach(async () => {
  clock = manualClock();
  answers = {};
  asked = [];
  server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const method = String(headers[":path"]).split("/").at(-1) ?? "";
    asked.push(method);
    const status = answers[method];
    if (status !== undefined) answer(stream, status);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  client = new PubSub({ projectId: "p", apiEndpoint: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  // It takes another address for an emulator's, where everything is created.
  client.isEmulator = false;
});
afterEach(async () => {
  await client.close();
  server.close();
});

function answer(stream: ServerHttp2Stream, status: number): void {
  const trailers = { "grpc-status": String(status), "grpc-message": "" };
  if (status !== OK) return stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  // A message without fields.
  stream.end(Buffer.alloc(5));
}

const ensure = (create: boolean, ends: "topic" | "both" = "both") =>
  ensureChannel({ client, name: "signalbox-events", clock, create, settings: {} }, ends);

test("a topic that is missing is named, with what to do about it", async () => {
  answers = { GetTopic: CODE.NOT_FOUND };
  await expect(ensure(false)).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringMatching(/signalbox-events.*SIGNALBOX_PUBSUB_CREATE=true/s),
    details: { id: PATH },
  });
});

test("a subscription that is missing is named, and only whoever reads is asked for one", async () => {
  answers = { GetTopic: OK, GetSubscription: CODE.NOT_FOUND };
  await expect(ensure(false)).rejects.toMatchObject({ code: "NOT_FOUND", details: { id: "projects/p/subscriptions/signalbox-events" } });
  await expect(ensure(false, "topic")).resolves.toBeUndefined();
});

test("whoever may use a topic but not look at it is believed that it is there", async () => {
  answers = { GetTopic: CODE.PERMISSION_DENIED, GetSubscription: CODE.PERMISSION_DENIED };
  await expect(ensure(false)).resolves.toBeUndefined();
  expect(asked).toEqual(["GetTopic", "GetSubscription"]);
});

test("whoever may not create is told so", async () => {
  answers = { CreateTopic: CODE.PERMISSION_DENIED };
  await expect(ensure(true)).rejects.toMatchObject({ code: "FORBIDDEN" });
});

test("what is there already counts as created", async () => {
  answers = { CreateTopic: CODE.ALREADY_EXISTS, CreateSubscription: CODE.ALREADY_EXISTS };
  await expect(ensure(true)).resolves.toBeUndefined();
  expect(asked).toEqual(["CreateTopic", "CreateSubscription"]);
});

test("a Pub/Sub that does not answer is given up after five seconds, and may be back later", async () => {
  const ensuring = ensure(false).catch((error: unknown) => error);
  await expect.poll(() => asked, { timeout: 20_000 }).toEqual(["GetTopic"]);
  clock.advance(5_000);
  expect(await ensuring).toMatchObject({ code: "UNAVAILABLE", retryable: true });
});
