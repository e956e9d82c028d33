import { createHash } from "node:crypto";
import type { CollectionReference, DocumentReference, Firestore } from "@google-cloud/firestore";
import { documentId } from "./document-id.ts";

/** Where everything lies: `tenants/{tenant}/…`, an execution's own things below the execution. */
export interface Places {
  executions(tenant: string): CollectionReference;
  execution(tenant: string, id: string): DocumentReference;
  /** The execution an idempotency key belongs to. */
  key(tenant: string, idempotencyKey: string): DocumentReference;
  events(tenant: string, executionId: string): CollectionReference;
  values(tenant: string, executionId: string): CollectionReference;
  inbox(tenant: string, executionId: string): CollectionReference;
  waits(tenant: string): CollectionReference;
  wait(tenant: string, id: string): DocumentReference;
  decisions(tenant: string): CollectionReference;
  decision(tenant: string, id: string): DocumentReference;
  memory(tenant: string, key: string): DocumentReference;
  workflows(tenant: string): CollectionReference;
  webhooks(tenant: string): CollectionReference;
  deliveries(tenant: string): CollectionReference;
  workflow(tenant: string, id: string): DocumentReference;
  /** Written anew with every workflow of the tenant. */
  workflowStamp(tenant: string): DocumentReference;
  received(tenant: string): CollectionReference;
  parked(tenant: string): CollectionReference;
  eventTypes(tenant: string): CollectionReference;
  schedule(tenant: string, workflowId: string, triggerId: string): DocumentReference;
  limits(tenant: string): CollectionReference;
  permits(tenant: string, limit: string): CollectionReference;
  line(tenant: string, limit: string): CollectionReference;
}

export function placesIn(firestore: Firestore): Places {
  const below = (tenant: string, collection: string): CollectionReference =>
    firestore.collection("tenants").doc(documentId(tenant)).collection(collection);
  const execution = (tenant: string, id: string): DocumentReference => below(tenant, "executions").doc(documentId(id));
  return {
    execution,
    executions: (tenant) => below(tenant, "executions"),
    key: (tenant, key) => below(tenant, "keys").doc(createHash("sha256").update(key, "utf16le").digest("hex")),
    events: (tenant, id) => execution(tenant, id).collection("events"),
    values: (tenant, id) => execution(tenant, id).collection("values"),
    inbox: (tenant, id) => execution(tenant, id).collection("inbox"),
    waits: (tenant) => below(tenant, "waits"),
    wait: (tenant, id) => below(tenant, "waits").doc(documentId(id)),
    decisions: (tenant) => below(tenant, "decisions"),
    decision: (tenant, id) => below(tenant, "decisions").doc(documentId(id)),
    memory: (tenant, key) => below(tenant, "memories").doc(documentId(key)),
    workflows: (tenant) => below(tenant, "workflows"),
    webhooks: (tenant) => below(tenant, "webhooks"),
    deliveries: (tenant) => below(tenant, "deliveries"),
    workflow: (tenant, id) => below(tenant, "workflows").doc(documentId(id)),
    workflowStamp: (tenant) => below(tenant, "stamps").doc("workflows"),
    received: (tenant) => below(tenant, "received"),
    parked: (tenant) => below(tenant, "parked"),
    eventTypes: (tenant) => below(tenant, "eventTypes"),
    schedule: (tenant, workflowId, triggerId) => below(tenant, "schedules").doc(documentId(`${workflowId}/${triggerId}`)),
    limits: (tenant) => below(tenant, "limits"),
    permits: (tenant, limit) => below(tenant, "limits").doc(documentId(limit)).collection("permits"),
    line: (tenant, limit) => below(tenant, "limits").doc(documentId(limit)).collection("line"),
  };
}
