import * as messages from "@langchain/core/messages";

type Fields = Record<string, unknown>;
type MessageClass = new (fields: never) => messages.BaseMessage;

/** The closed list of LangChain classes that come back alive; everything else of LangChain comes back as data. */
const CLASSES: Record<string, MessageClass> = {
  AIMessage: messages.AIMessage,
  AIMessageChunk: messages.AIMessageChunk,
  ChatMessage: messages.ChatMessage,
  ChatMessageChunk: messages.ChatMessageChunk,
  FunctionMessage: messages.FunctionMessage,
  FunctionMessageChunk: messages.FunctionMessageChunk,
  HumanMessage: messages.HumanMessage,
  HumanMessageChunk: messages.HumanMessageChunk,
  RemoveMessage: messages.RemoveMessage,
  SystemMessage: messages.SystemMessage,
  SystemMessageChunk: messages.SystemMessageChunk,
  ToolMessage: messages.ToolMessage,
  ToolMessageChunk: messages.ToolMessageChunk,
};

/** True for a live LangChain message that can be made again. */
export function isMessage(value: object): boolean {
  return messages.isBaseMessage(value) && classOf(value) !== undefined;
}

/** Class name and constructor fields, as they are now: reducers set `id` after construction. */
export function packMessage(message: messages.BaseMessage): [string, Fields] {
  const now = message as unknown as Fields; // fields are read by the names the constructor got
  const fields: Fields = {};
  for (const key of new Set([...Object.keys(message.lc_kwargs), "id", "name"])) {
    const field = key in message ? now[key] : message.lc_kwargs[key];
    if (field !== undefined) fields[key] = field;
  }
  return [classOf(message) ?? "", fields];
}

export function unpackMessage([name, fields]: [string, Fields]): messages.BaseMessage | Fields {
  const Message = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  return Message ? new Message(fields as never) : fields; // `packMessage` took them from such a message
}

function classOf(message: messages.BaseMessage): string | undefined {
  const own = message.lc_id.at(-1) ?? "";
  if (Object.hasOwn(CLASSES, own)) return own;
  // A program's own subclass comes back as the class it extends.
  return Object.entries(CLASSES).find(([, Message]) => message instanceof Message)?.[0];
}
