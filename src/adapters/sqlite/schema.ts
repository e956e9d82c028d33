/** Number of the newest migration; kept in the file as `user_version`. */
export const SCHEMA_VERSION = 2;

/**
 * What brings a file from version n to n + 1. Documents are JSON text; only what is searched by has a column. Rows grow at the end
 * of their table, and what a running execution writes is found by numbers, not by ids: executions that run together have numbers
 * that lie together, so that a commit over a hundred of them touches 2 pages each instead of 6 (9 KB written instead of 50).
 */
export const MIGRATIONS: readonly string[] = [
  /* sql */ `
  CREATE TABLE workflows (
    tenant TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL,
    doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX workflow_ids ON workflows (tenant, id);
  CREATE INDEX workflows_by_time ON workflows (tenant, created_at, id);
  CREATE INDEX workflows_by_status ON workflows (tenant, status, created_at, id);

  CREATE TABLE workflow_versions (tenant TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
  CREATE UNIQUE INDEX workflow_version_ids ON workflow_versions (tenant, id, version);

  CREATE TABLE executions (
    number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, workflow_id TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL,
    idempotency_key TEXT, epoch INTEGER NOT NULL, last_seq INTEGER NOT NULL, owner TEXT, lease_until INTEGER, wake_at INTEGER,
    expire_at INTEGER, duration_ms INTEGER, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX execution_ids ON executions (tenant, id);
  CREATE UNIQUE INDEX execution_keys ON executions (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX executions_by_time ON executions (tenant, created_at, id);
  CREATE INDEX executions_by_workflow ON executions (tenant, workflow_id, created_at, id);
  CREATE INDEX executions_by_status ON executions (tenant, status, created_at, id);
  CREATE INDEX executions_by_workflow_status ON executions (tenant, workflow_id, status, created_at, id);
  CREATE INDEX executions_due ON executions (wake_at) WHERE wake_at IS NOT NULL;
  CREATE INDEX executions_expired ON executions (expire_at) WHERE expire_at IS NOT NULL;
  CREATE INDEX executions_owned ON executions (owner) WHERE owner IS NOT NULL;

  -- Counted as they change: counting on demand would read every execution of a workflow.
  CREATE TABLE execution_counts (
    tenant TEXT NOT NULL, workflow_id TEXT NOT NULL, status TEXT NOT NULL, count INTEGER NOT NULL, duration_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, workflow_id, status)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER execution_created AFTER INSERT ON executions BEGIN
    INSERT INTO execution_counts VALUES (new.tenant, new.workflow_id, new.status, 1, coalesce(new.duration_ms, 0))
      ON CONFLICT DO UPDATE SET count = count + 1, duration_ms = duration_ms + excluded.duration_ms;
  END;
  CREATE TRIGGER execution_moved AFTER UPDATE OF status ON executions WHEN old.status <> new.status BEGIN
    UPDATE execution_counts SET count = count - 1, duration_ms = duration_ms - coalesce(old.duration_ms, 0)
      WHERE tenant = old.tenant AND workflow_id = old.workflow_id AND status = old.status;
    INSERT INTO execution_counts VALUES (new.tenant, new.workflow_id, new.status, 1, coalesce(new.duration_ms, 0))
      ON CONFLICT DO UPDATE SET count = count + 1, duration_ms = duration_ms + excluded.duration_ms;
  END;

  -- One row per commit. AUTOINCREMENT: other processes read what is new by it, so a number must never come twice.
  CREATE TABLE event_pages (
    page INTEGER PRIMARY KEY AUTOINCREMENT, execution INTEGER NOT NULL, first_seq INTEGER NOT NULL, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX event_page_ids ON event_pages (execution, first_seq);

  CREATE TABLE execution_values (execution INTEGER NOT NULL, ref TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
  CREATE UNIQUE INDEX execution_value_ids ON execution_values (execution, ref);

  CREATE TABLE inbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, execution_id TEXT NOT NULL, id TEXT NOT NULL,
    sent_at INTEGER NOT NULL, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX inbox_ids ON inbox (tenant, execution_id, id);
  CREATE INDEX inbox_by_time ON inbox (sent_at);

  -- Status and answer change after the document is written; they are kept beside it.
  CREATE TABLE waits (
    tenant TEXT NOT NULL, id TEXT NOT NULL, execution_id TEXT NOT NULL, workflow_id TEXT NOT NULL, kind TEXT NOT NULL,
    status TEXT NOT NULL, created_at TEXT NOT NULL, answer TEXT, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX wait_ids ON waits (tenant, id);
  CREATE INDEX waits_by_time ON waits (tenant, created_at, id);
  CREATE INDEX waits_by_status ON waits (tenant, status, created_at, id);
  CREATE INDEX waits_by_execution ON waits (tenant, execution_id, created_at, id);

  CREATE TABLE decisions (
    tenant TEXT NOT NULL, id TEXT NOT NULL, execution_id TEXT NOT NULL, workflow_id TEXT NOT NULL, step_id TEXT NOT NULL,
    at TEXT NOT NULL, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX decision_ids ON decisions (tenant, id);
  CREATE INDEX decisions_by_time ON decisions (tenant, at, id);
  CREATE INDEX decisions_by_execution ON decisions (tenant, execution_id, at, id);
  CREATE INDEX decisions_by_workflow ON decisions (tenant, workflow_id, at, id);

  -- The tenant is '' for threads that are no execution.
  CREATE TABLE threads (number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL) STRICT;
  CREATE UNIQUE INDEX thread_ids ON threads (id, tenant);

  CREATE TABLE checkpoints (
    thread INTEGER NOT NULL, ns TEXT NOT NULL, id TEXT NOT NULL, parent_id TEXT, doc TEXT NOT NULL, metadata TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX checkpoint_ids ON checkpoints (thread, ns, id);

  -- All writes of one task in one row.
  CREATE TABLE checkpoint_writes (
    thread INTEGER NOT NULL, ns TEXT NOT NULL, checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX checkpoint_write_ids ON checkpoint_writes (thread, ns, checkpoint_id, task_id);

  -- Large values under the digest of their text: channel versions name different values in different forks.
  CREATE TABLE checkpoint_blobs (thread INTEGER NOT NULL, ref TEXT NOT NULL, value TEXT NOT NULL) STRICT;
  CREATE UNIQUE INDEX checkpoint_blob_ids ON checkpoint_blobs (thread, ref);
  `,
  /* sql */ `
  CREATE TABLE schedules (
    tenant TEXT NOT NULL, workflow_id TEXT NOT NULL, trigger_id TEXT NOT NULL, revision INTEGER NOT NULL, due_at INTEGER NOT NULL,
    doc TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX schedule_ids ON schedules (tenant, workflow_id, trigger_id);
  CREATE INDEX schedules_due ON schedules (due_at);
  `,
];
