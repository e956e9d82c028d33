import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { decodeFirestoreChange } from "../../src/events/firestore-change.ts";
import { isFirestoreChange } from "../../src/events/push-message.ts";
import type { Json } from "../../src/definition/json.ts";
import { anEventProcess } from "../events/support.ts";
import { manualClock } from "../support/manual-clock.ts";

// Google's own encoder, so that ours is not measured by itself.
interface Codec {
  encode(message: object): { finish(): Uint8Array };
}
const protos = createRequire(import.meta.url)("../../node_modules/@google-cloud/firestore/build/protos/firestore_v1_proto_api.js") as {
  google: { firestore: { v1: { Document: Codec; DocumentMask: Codec } } };
};
const { Document, DocumentMask } = protos.google.firestore.v1;

/** A field of a message that holds another message. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest & 127) | 128);
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

const NAME = "projects/p/databases/(default)/documents/orders/4711";
const document = (fields: object) =>
  Document.encode({
    name: NAME,
    fields,
    createTime: { seconds: 1_700_000_000, nanos: 5 },
    updateTime: { seconds: 1_700_000_001 },
  }).finish();

const FIELDS = {
  text: { stringValue: "a" },
  whole: { integerValue: 7 },
  large: { integerValue: "9007199254740993" },
  part: { doubleValue: 1.5 },
  none: { nullValue: 0 },
  yes: { booleanValue: true },
  no: { booleanValue: false },
  at: { timestampValue: { seconds: 1_700_000_000, nanos: 123_000_000 } },
  bytes: { bytesValue: Buffer.from("hi") },
  who: { referenceValue: "projects/p/databases/(default)/documents/users/1" },
  where: { geoPointValue: { latitude: 1, longitude: -2 } },
  list: { arrayValue: { values: [{ integerValue: 1 }, { mapValue: { fields: { fields: { stringValue: "f" } } } }] } },
  nested: { mapValue: { fields: { timestampValue: { stringValue: "no time" } } } },
};
const PLAIN = {
  text: "a",
  whole: 7,
  large: "9007199254740993",
  part: 1.5,
  none: null,
  yes: true,
  no: false,
  at: "2023-11-14T22:13:20.123000000Z",
  bytes: "aGk=",
  who: "projects/p/databases/(default)/documents/users/1",
  where: { latitude: 1, longitude: -2 },
  list: [1, { fields: "f" }],
  nested: { timestampValue: "no time" },
};

const changeOf = (bytes: Uint8Array) => JSON.parse(Buffer.from(decodeFirestoreChange(bytes)).toString()) as Json;

const event = (data: Json, over: object = {}) => ({
  id: "1",
  source: "//firestore.googleapis.com/projects/p/databases/(default)",
  type: "google.cloud.firestore.document.v1.updated",
  subject: "documents/orders/4711",
  data,
  ...over,
});

async function aListener(config: object = {}) {
  const process = await anEventProcess({ clock: manualClock() });
  await process.define({
    id: "w",
    triggers: [
      {
        type: "firestore",
        config: { document: "orders/{orderId}", on: "updated", ...config },
        condition: "event.data.value != null",
        input: {
          id: "${ event.params.orderId }",
          now: "${ event.data.value }",
          before: "${ event.data.oldValue }",
          changed: "${ event.data.changed }",
        },
      },
    ],
  });
  const take = async (given: ReturnType<typeof event>) =>
    (await process.events.ingest.take("default", given, { via: "push" })).outcomes.map(({ status }) => status);
  return { ...process, take };
}

test("a change in Protobuf starts an execution with plain values, before and after, and the pattern's params", async () => {
  const { take, started } = await aListener();
  const mask = DocumentMask.encode({ fieldPaths: ["text"] }).finish();
  const bytes = Buffer.concat([field(1, document(FIELDS)), field(2, document({ text: { stringValue: "b" } })), field(3, mask)]);
  expect(await take(event(changeOf(bytes)))).toEqual(["STARTED"]);
  expect(await take(event(changeOf(bytes)))).toEqual(["DUPLICATE"]);
  expect(await started()).toMatchObject([{ input: { id: "4711", now: PLAIN, before: { text: "b" }, changed: ["text"] } }]);
});

test("a change in JSON means the same", async () => {
  const { take, started } = await aListener();
  const value = { name: NAME, fields: { n: { integerValue: "3" }, list: { arrayValue: {} }, map: { mapValue: {} } } };
  expect(await take(event({ value, oldValue: { name: NAME }, updateMask: {} }))).toEqual(["STARTED"]);
  expect(await started()).toMatchObject([{ input: { now: { n: 3, list: [], map: {} }, before: {}, changed: [] } }]);
});

test("a document that was deleted has no value, and one that was created no old one", async () => {
  const { take, started } = await aListener();
  expect(await take(event(changeOf(field(2, document(FIELDS)))))).toEqual(["SKIPPED"]);
  expect(await take(event(changeOf(field(1, document({})))))).toEqual(["STARTED"]);
  expect(await started()).toMatchObject([{ input: { now: {}, before: null } }]);
});

test.each([
  ["another collection", { subject: "documents/users/4711" }],
  ["a document below it", { subject: "documents/orders/4711/lines/1" }],
  ["another database", { source: "//firestore.googleapis.com/projects/p/databases/other" }],
  ["no document", { subject: undefined }],
])("a change of %s is not meant", async (_, over) => {
  const { take } = await aListener();
  expect(await take(event({ value: { name: NAME } }, over))).toEqual(["SKIPPED"]);
});

test("a pattern that leads to no document is refused when it is saved", async () => {
  const { define } = await anEventProcess({ clock: manualClock() });
  for (const pattern of ["orders", "orders/{id}/lines", "/orders/{id}", "orders/x{id}", "orders/{1}"]) {
    await expect(
      define({ id: "w", triggers: [{ type: "firestore", config: { document: pattern, on: "created" } }] }),
      pattern,
    ).rejects.toMatchObject({
      code: "INVALID_DEFINITION",
    });
  }
});

test("bytes that are no change stay as they are, and other types are left alone", () => {
  const noise = Buffer.from([255, 255, 255]);
  expect(decodeFirestoreChange(noise)).toBe(noise);
  expect(isFirestoreChange("google.cloud.firestore.document.v1.written.withAuthContext", "application/protobuf")).toBe(true);
  expect(isFirestoreChange("google.cloud.firestore.document.v1.written", "application/json")).toBe(false);
  expect(isFirestoreChange("shop.paid", "application/protobuf")).toBe(false);
});
