import type { Database } from "./database.ts";

export interface EndpointRow {
  tenant: string;
  id: string;
  revision: number;
  createdAt: string;
  doc: string;
}

export interface DeliveryRow extends EndpointRow {
  endpointId: string;
  status: string;
  nextAt: number | null;
  expireAt: number;
}

/** False where the stored row has another revision, or where there is one and none was expected. */
export function putEndpoint(database: Database, { row, basedOn }: { row: EndpointRow; basedOn: number | null }): boolean {
  const { tenant, id, revision, createdAt, doc } = row;
  if (basedOn === null) {
    return (
      database.run("INSERT INTO webhook_endpoints (tenant, id, revision, created_at, doc) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", [
        tenant,
        id,
        revision,
        createdAt,
        doc,
      ]).changes === 1
    );
  }
  const sql = "UPDATE webhook_endpoints SET revision = ?, doc = ? WHERE tenant = ? AND id = ? AND revision = ?";
  return database.run(sql, [revision, doc, tenant, id, basedOn]).changes === 1;
}

export function removeEndpoint(database: Database, { tenant, id }: { tenant: string; id: string }): boolean {
  return database.run("DELETE FROM webhook_endpoints WHERE tenant = ? AND id = ?", [tenant, id]).changes === 1;
}

/** The same for deliveries; what has expired goes as others come. */
export function putDelivery(database: Database, { row, basedOn, now }: { row: DeliveryRow; basedOn: number | null; now: number }): boolean {
  const { tenant, id, endpointId, status, revision, createdAt, nextAt, expireAt, doc } = row;
  if (basedOn !== null) {
    const sql =
      "UPDATE webhook_deliveries SET status = ?, revision = ?, next_at = ?, expire_at = ?, doc = ? WHERE tenant = ? AND id = ? AND revision = ?";
    return database.run(sql, [status, revision, nextAt, expireAt, doc, tenant, id, basedOn]).changes === 1;
  }
  database.run("DELETE FROM webhook_deliveries WHERE rowid IN (SELECT rowid FROM webhook_deliveries WHERE expire_at <= ? LIMIT 20)", [now]);
  const { changes } = database.run(
    `INSERT INTO webhook_deliveries (tenant, id, endpoint_id, status, revision, created_at, next_at, expire_at, doc)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    [tenant, id, endpointId, status, revision, createdAt, nextAt, expireAt, doc],
  );
  return changes === 1;
}
