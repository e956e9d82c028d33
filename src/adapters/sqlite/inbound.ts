import {
  outcomeOfResult,
  topicOf,
  type EventResult,
  type EventType,
  type ParkedEvent,
  type ReceivedEvent,
} from "../../definition/received-event.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventTypeStore, ParkedEventStore, ReceivedEventStore } from "../../ports/inbound-store.ts";
import type { Connection } from "./connection.ts";
import { readPage } from "./page-query.ts";

/** Events that came in, those that could not, and what they should look like. */
export function sqliteInbound(connection: Connection, clock: Clock) {
  return {
    received: receivedEvents(connection, clock),
    parked: parkedEvents(connection, clock),
    eventTypes: eventTypes(connection),
  };
}

function receivedEvents({ read, write }: Connection, clock: Clock): ReceivedEventStore {
  return {
    add({ result, ...rest }) {
      const { event } = rest;
      return write("addReceived", {
        tenant: rest.tenant,
        id: rest.id,
        type: event.type,
        subjectTopic: event.subject === undefined ? null : topicOf(event.type, event.subject),
        source: event.source,
        eventId: event.id,
        outcome: outcomeOfResult(result),
        receivedAt: rest.receivedAt,
        expireAt: rest.expireAt,
        doc: JSON.stringify(rest),
        result: JSON.stringify(result),
      });
    },
    async setResult(tenant, id, result) {
      await write("setResult", { tenant, id, outcome: outcomeOfResult(result), result: JSON.stringify(result) });
    },
    get: (tenant, id) =>
      read((database) => {
        const row = database.get<StoredEvent>("SELECT doc, result FROM received_events WHERE tenant = ? AND id = ? AND expire_at > ?", [
          tenant,
          id,
          clock.now(),
        ]);
        return row && receivedOf(row);
      }),
    list: (tenant, { type, source, eventId, outcome, since, until, pageSize, pageToken }) =>
      read((database) =>
        readPage(
          database,
          {
            table: "received_events",
            columns: "doc, result",
            time: "received_at",
            equal: { tenant, type, source, event_id: eventId, outcome },
            where: [
              { sql: "expire_at > ?", parameters: [clock.now()] },
              ...(since === undefined ? [] : [{ sql: "received_at >= ?", parameters: [since] }]),
              ...(until === undefined ? [] : [{ sql: "received_at < ?", parameters: [until] }]),
            ],
            pageSize,
            pageToken,
          },
          receivedOf,
        ),
      ),
    since: (tenant, { type, subject }, { since, after, limit }) =>
      read((database) => {
        const [column, value] = subject === undefined ? ["type", type] : ["subject_topic", topicOf(type, subject)];
        return database
          .all<StoredEvent>(
            `SELECT doc, result FROM received_events WHERE tenant = ? AND ${column} = ? AND received_at >= ? AND (received_at, id) > (?, ?) AND expire_at > ?
              ORDER BY received_at, id LIMIT ?`,
            [tenant, value, since, after?.at ?? "", after?.id ?? "", clock.now(), limit],
          )
          .map(receivedOf);
      }),
  };
}

interface StoredEvent {
  doc: string;
  result: string;
}

function receivedOf({ doc, result }: StoredEvent): ReceivedEvent {
  // Both written by `add` and `setResult`.
  return { ...(JSON.parse(doc) as Omit<ReceivedEvent, "result">), result: JSON.parse(result) as EventResult };
}

function parkedEvents({ read, write }: Connection, clock: Clock): ParkedEventStore {
  return {
    add: (parked) => {
      const { tenant, id, code, status, parkedAt, expireAt } = parked;
      return write("addParked", { tenant, id, code, status, parkedAt, expireAt, doc: JSON.stringify(parked) });
    },
    get: (tenant, id) =>
      read((database) => {
        const row = database.get<StoredParked>(
          "SELECT doc, status, settled FROM parked_events WHERE tenant = ? AND id = ? AND expire_at > ?",
          [tenant, id, clock.now()],
        );
        return row && parkedOf(row);
      }),
    list: (tenant, { status, code, pageSize, pageToken }) =>
      read((database) =>
        readPage(
          database,
          {
            table: "parked_events",
            columns: "doc, status, settled",
            time: "parked_at",
            equal: { tenant, status, code },
            where: [{ sql: "expire_at > ?", parameters: [clock.now()] }],
            pageSize,
            pageToken,
          },
          parkedOf,
        ),
      ),
    settle: (tenant, id, status, settled) => write("settleParked", { tenant, id, status, settled: JSON.stringify(settled) }),
  };
}

interface StoredParked {
  doc: string;
  status: string;
  settled: string | null;
}

function parkedOf({ doc, status, settled }: StoredParked): ParkedEvent {
  return {
    ...(JSON.parse(doc) as ParkedEvent), // written by `add`
    status: status as ParkedEvent["status"], // set by our own operations only
    settled: settled === null ? null : (JSON.parse(settled) as ParkedEvent["settled"]),
  };
}

function eventTypes({ read, write }: Connection): EventTypeStore {
  const get: EventTypeStore["get"] = (tenant, type) =>
    read((database) => {
      const row = database.get<{ doc: string }>("SELECT doc FROM event_types WHERE tenant = ? AND id = ?", [tenant, type]);
      return row && eventTypeOf(row);
    });
  return {
    get,
    async put(tenant, given) {
      const present = await get(tenant, given.type);
      const type = { ...given, createdAt: present?.createdAt ?? given.createdAt };
      await write("putEventType", { tenant, id: type.type, createdAt: type.createdAt, doc: JSON.stringify(type) });
      return type;
    },
    list: (tenant, { pageSize, pageToken }) =>
      read((database) =>
        readPage(
          database,
          { table: "event_types", columns: "doc", time: "created_at", equal: { tenant }, pageSize, pageToken },
          eventTypeOf,
        ),
      ),
    remove: (tenant, type) => write("removeEventType", { tenant, id: type }),
  };
}

function eventTypeOf({ doc }: { doc: string }): EventType {
  return JSON.parse(doc) as EventType; // written by `put`
}
