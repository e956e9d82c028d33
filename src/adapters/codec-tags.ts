import { Command, Overwrite, Send } from "@langchain/langgraph";
import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import { SignalboxError } from "../errors.ts";
import { isMessage, packMessage, unpackMessage } from "./codec-messages.ts";

/** A kind of object that JSON has no word for. `body` of `unpack` is what `pack` gave, after its own round trip. */
interface Tag {
  name: string;
  is(value: object): boolean;
  pack(value: never): unknown;
  unpack(body: never): unknown;
}

const ARRAYS = {
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

const ERRORS: Record<string, new (message?: string, options?: ErrorOptions) => Error> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** LangGraph marks its classes with a name, because a program may hold two copies of the package. */
const named = (name: string) => (value: object) =>
  "lg_name" in value && !Object.hasOwn(Object.prototype, "lg_name") && value.lg_name === name && isInstance(value);

const TAGS: readonly Tag[] = [
  tag({
    name: "date",
    is: (value) => value instanceof Date,
    pack: (value: Date) => value.getTime(),
    unpack: (time: number) => new Date(time),
  }),
  tag({
    name: "map",
    is: (value) => value instanceof Map,
    pack: (value: Map<unknown, unknown>) => [...value],
    unpack: (entries: [unknown, unknown][]) => new Map(entries),
  }),
  tag({
    name: "set",
    is: (value) => value instanceof Set,
    pack: (value: Set<unknown>) => [...value],
    unpack: (items: unknown[]) => new Set(items),
  }),
  tag({
    name: "regexp",
    is: (value) => value instanceof RegExp,
    pack: (value: RegExp) => [value.source, value.flags],
    unpack: ([source, flags]: [string, string]) => new RegExp(source, flags),
  }),
  tag({ name: "bytes", is: (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer, pack: packBytes, unpack: unpackBytes }),
  tag({
    name: "error",
    is: (value) => value instanceof Error,
    // Without the stack: it names files of the machine it happened on.
    pack: ({ name, message, cause }: Error) => [name, message, ...(cause === undefined ? [] : [cause])],
    unpack: unpackError,
  }),
  tag({ name: "message", is: isMessage, pack: packMessage, unpack: unpackMessage }),
  tag({ name: "send", is: named("Send"), pack: ({ node, args, timeout }: Send) => [node, args, timeout ?? null], unpack: unpackSend }),
  tag({
    name: "overwrite",
    is: named("Overwrite"),
    pack: (value: Overwrite<unknown>) => [value.value],
    unpack: ([value]: [unknown]) => new Overwrite(value),
  }),
  tag({
    name: "command",
    is: named("Command"),
    pack: ({ graph, update, resume, goto }: Command) => [graph ?? null, update, resume, goto],
    unpack: ([graph, update, resume, goto]: [string | null, Record<string, unknown>, unknown, string[]]) =>
      new Command({ update, resume, goto, ...(graph === null ? {} : { graph }) }),
  }),
  tag({
    name: "delta",
    is: named("DeltaSnapshot"),
    pack: (value: DeltaSnapshot) => [value.value],
    unpack: ([value]: [unknown]) => new DeltaSnapshot(value),
  }),
];

const BY_NAME = new Map(TAGS.map((each) => [each.name, each]));

/** The tag of an object, where it needs one. */
export function tagOf(value: object): { name: string; pack(value: object): unknown } | undefined {
  if (!isInstance(value)) return undefined;
  return TAGS.find((each) => each.is(value)); // `is` has just narrowed it
}

/** The tag of a name. INTERNAL where there is none: the data is of a newer version. */
export function tagNamed(name: string): { unpack(body: unknown): unknown } {
  const found = BY_NAME.get(name);
  if (!found) throw new SignalboxError("INTERNAL", `Stored data has the unknown mark "${name}"; it was written by a newer version.`);
  return found; // the body is what this tag's own `pack` made
}

/** Ties the two directions of a tag to one type. */
function tag<V, B>(definition: { name: string; is(value: object): boolean; pack(value: V): unknown; unpack(body: B): unknown }): Tag {
  return definition;
}

function isInstance(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null;
}

function packBytes(value: ArrayBuffer | ArrayBufferView): [string, string] {
  const bytes = value instanceof ArrayBuffer ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const kind = Object.entries(ARRAYS).find(([, Kind]) => value instanceof Kind)?.[0] ?? "ArrayBuffer";
  return [kind, bytes.toString("base64")];
}

function unpackBytes([kind, base64]: [string, string]): ArrayBuffer | ArrayBufferView {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return Object.hasOwn(ARRAYS, kind) ? new ARRAYS[kind as keyof typeof ARRAYS](bytes.buffer) : bytes.buffer;
}

function unpackError([name, message, ...cause]: [string, string, ...unknown[]]): Error {
  const Kind = (Object.hasOwn(ERRORS, name) && ERRORS[name]) || Error;
  const error = new Kind(message, cause.length > 0 ? { cause: cause[0] } : undefined);
  if (error.name !== name) Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  return error;
}

function unpackSend([node, args, timeout]: [string, unknown, NonNullable<Send["timeout"]> | null]): Send {
  const send: Send = new Send<string, unknown>(node, null);
  // Set after construction: the constructor would turn data that looks like a Send or Command into one.
  send.args = args;
  if (timeout !== null) send.timeout = timeout;
  return send;
}
