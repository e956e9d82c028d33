/**
 * What later versions added beside the numbered schema, each statement harmless where it ran before. The version before this one opens
 * the same file and leaves alone what it does not know, so a rolling upgrade and the way back need no stop. What it could not live
 * with (a column that must be filled, a changed meaning) is a migration in `schema.ts` instead.
 */
export const ADDITIONS: readonly string[] = [
  /* sql */ `
  CREATE TABLE IF NOT EXISTS received_events (
    tenant TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, subject_topic TEXT, source TEXT NOT NULL, event_id TEXT NOT NULL,
    outcome TEXT NOT NULL, received_at TEXT NOT NULL, expire_at INTEGER NOT NULL, doc TEXT NOT NULL, result TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS received_event_ids ON received_events (tenant, id);
  CREATE INDEX IF NOT EXISTS received_events_by_time ON received_events (tenant, received_at, id);
  CREATE INDEX IF NOT EXISTS received_events_by_type ON received_events (tenant, type, received_at, id);
  CREATE INDEX IF NOT EXISTS received_events_by_subject ON received_events (tenant, subject_topic, received_at, id) WHERE subject_topic IS NOT NULL;
  CREATE INDEX IF NOT EXISTS received_events_by_event_id ON received_events (tenant, event_id);
  CREATE INDEX IF NOT EXISTS received_events_expired ON received_events (expire_at);

  CREATE TABLE IF NOT EXISTS parked_events (
    tenant TEXT NOT NULL, id TEXT NOT NULL, code TEXT NOT NULL, status TEXT NOT NULL, parked_at TEXT NOT NULL, expire_at INTEGER NOT NULL,
    settled TEXT, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS parked_event_ids ON parked_events (tenant, id);
  CREATE INDEX IF NOT EXISTS parked_events_by_time ON parked_events (tenant, parked_at, id);
  CREATE INDEX IF NOT EXISTS parked_events_by_status ON parked_events (tenant, status, parked_at, id);
  CREATE INDEX IF NOT EXISTS parked_events_expired ON parked_events (expire_at);

  CREATE TABLE IF NOT EXISTS event_types (tenant TEXT NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS event_type_ids ON event_types (tenant, id);
  CREATE INDEX IF NOT EXISTS event_types_by_time ON event_types (tenant, created_at, id);

  CREATE INDEX IF NOT EXISTS waits_by_topic ON waits (tenant, json_extract(doc, '$.topic'), id)
    WHERE status = 'open' AND json_extract(doc, '$.topic') IS NOT NULL;
  `,
  // A table and not an index on the document: such an index would read the whole document again with every commit.
  /* sql */ `CREATE TABLE IF NOT EXISTS execution_children (
    tenant TEXT NOT NULL, parent_id TEXT NOT NULL, created_at TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (tenant, parent_id, created_at, id)
  ) STRICT, WITHOUT ROWID`,
  /* sql */ `CREATE INDEX IF NOT EXISTS executions_dead ON executions (tenant, created_at, id) WHERE status IN ('FAILED', 'PAUSED')`,
  // A table of its own and not an index over the document: only executions whose events somebody wants have a row, nobody else pays.
  /* sql */ `
  CREATE TABLE IF NOT EXISTS relays (execution INTEGER PRIMARY KEY, relay_at INTEGER NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS relays_due ON relays (relay_at);
  `,
  /* sql */ `CREATE TABLE IF NOT EXISTS memories (tenant TEXT NOT NULL, key TEXT NOT NULL, expire_at INTEGER NOT NULL, doc TEXT NOT NULL) STRICT`,
  /* sql */ `CREATE UNIQUE INDEX IF NOT EXISTS memory_keys ON memories (tenant, key)`,
  /* sql */ `CREATE INDEX IF NOT EXISTS memories_expired ON memories (expire_at)`,
  /* sql */ `
  CREATE TABLE IF NOT EXISTS webhook_endpoints (
    tenant TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, created_at TEXT NOT NULL, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS webhook_endpoint_ids ON webhook_endpoints (tenant, id);
  CREATE TABLE IF NOT EXISTS webhook_deliveries (
    tenant TEXT NOT NULL, id TEXT NOT NULL, endpoint_id TEXT NOT NULL, status TEXT NOT NULL, revision INTEGER NOT NULL,
    created_at TEXT NOT NULL, next_at INTEGER, expire_at INTEGER NOT NULL, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS webhook_delivery_ids ON webhook_deliveries (tenant, id);
  CREATE INDEX IF NOT EXISTS webhook_deliveries_by_time ON webhook_deliveries (tenant, created_at, id);
  CREATE INDEX IF NOT EXISTS webhook_deliveries_by_endpoint ON webhook_deliveries (tenant, endpoint_id, created_at, id);
  CREATE INDEX IF NOT EXISTS webhook_deliveries_due ON webhook_deliveries (next_at) WHERE next_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS webhook_deliveries_expired ON webhook_deliveries (expire_at);
  `,
  /* sql */ `CREATE TABLE IF NOT EXISTS permits (
    tenant TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, execution_id TEXT NOT NULL, PRIMARY KEY (tenant, name, number)
  ) STRICT, WITHOUT ROWID`,
  /* sql */ `CREATE TABLE IF NOT EXISTS lines (
    tenant TEXT NOT NULL, name TEXT NOT NULL, rank INTEGER NOT NULL, execution_id TEXT NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, rank, execution_id)
  ) STRICT, WITHOUT ROWID`,
];
