import protobuf from "protobufjs/light.js";

const mapOf = (id: number, type: string): protobuf.IMapField => ({ id, keyType: "string", type });

/**
 * `google.events.cloud.firestore.v1.DocumentEventData` and what it is made of: the parts of google.firestore.v1 that a stored document
 * can hold. Field numbers are the published ones.
 */
const DocumentEventData = protobuf.Root.fromJSON({
  nested: {
    DocumentEventData: {
      fields: { value: { id: 1, type: "Document" }, oldValue: { id: 2, type: "Document" }, updateMask: { id: 3, type: "DocumentMask" } },
    },
    DocumentMask: { fields: { fieldPaths: { id: 1, rule: "repeated", type: "string" } } },
    Document: {
      fields: {
        name: { id: 1, type: "string" },
        fields: mapOf(2, "Value"),
        createTime: { id: 3, type: "Timestamp" },
        updateTime: { id: 4, type: "Timestamp" },
      },
    },
    Value: {
      fields: {
        booleanValue: { id: 1, type: "bool" },
        integerValue: { id: 2, type: "int64" },
        doubleValue: { id: 3, type: "double" },
        referenceValue: { id: 5, type: "string" },
        mapValue: { id: 6, type: "MapValue" },
        geoPointValue: { id: 8, type: "LatLng" },
        arrayValue: { id: 9, type: "ArrayValue" },
        timestampValue: { id: 10, type: "Timestamp" },
        nullValue: { id: 11, type: "NullValue" },
        stringValue: { id: 17, type: "string" },
        bytesValue: { id: 18, type: "bytes" },
      },
    },
    ArrayValue: { fields: { values: { id: 1, rule: "repeated", type: "Value" } } },
    MapValue: { fields: { fields: mapOf(1, "Value") } },
    LatLng: { fields: { latitude: { id: 1, type: "double" }, longitude: { id: 2, type: "double" } } },
    Timestamp: { fields: { seconds: { id: 1, type: "int64" }, nanos: { id: 2, type: "int32" } } },
    NullValue: { values: { NULL_VALUE: 0 } },
  },
}).lookupType("DocumentEventData");

/** The change in Protobuf's JSON form, as Eventarc sends it where JSON was chosen; bytes that are none come back as they are. */
export function decodeFirestoreChange(bytes: Uint8Array): Uint8Array {
  try {
    const change = DocumentEventData.toObject(DocumentEventData.decode(bytes), { longs: String, bytes: String, enums: String, json: true });
    return Buffer.from(JSON.stringify(withTimes(change)));
  } catch {
    return bytes; // no change after all: refused for what it is
  }
}

/** Timestamps as RFC 3339; they are told by their place in the messages above. */
function withTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTimes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      isTime(name, value) ? timeOf(inner) : name === "fields" ? fieldsOf(inner) : withTimes(inner),
    ]),
  );
}

function isTime(name: string, message: object): boolean {
  return name === "timestampValue" || ((name === "createTime" || name === "updateTime") && "name" in message);
}

/** Names of fields are the documents' own: none of them means anything here. */
function fieldsOf(fields: unknown): unknown {
  return Object.fromEntries(Object.entries(fields as Record<string, unknown>).map(([name, inner]) => [name, withTimes(inner)])); // a map of values
}

function timeOf(timestamp: unknown): string {
  const { seconds = "0", nanos = 0 } = timestamp as { seconds?: string; nanos?: number }; // a Timestamp of the messages above
  const [date] = new Date(Number(seconds) * 1_000).toISOString().split(".");
  return `${date}.${String(nanos).padStart(9, "0")}Z`;
}
