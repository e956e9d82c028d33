import type { Decision } from "../../../src/definition/decision.ts";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import type { JsonObject } from "../../../src/definition/json.ts";
import type { Started } from "./actors.ts";
import type { Client } from "./client.ts";
import { watch } from "./follower.ts";

const PAGE = 50;
const REPLAY_MS = 10_000;
const FIELDS = "seq at type stepId visit branch attempt summary data";

/** What the service says of an execution when all is over. */
export interface Evidence {
  started: Started;
  execution: JsonObject;
  /** Over REST, in pages of 50. */
  events: ExecutionEvent[];
  overSse: ExecutionEvent[];
  overGraphql: ExecutionEvent[];
  decisions: Decision[];
  approvals: JsonObject[];
}

/** Asks every surface for everything about one execution. */
export async function collect(started: Started, client: Client): Promise<Evidence> {
  const { id } = started;
  const { body: execution } = await client.insist("GET", `/api/v1/executions/${id}`);
  const { seen, done } = watch(
    () => `${client.baseUrl()}/api/v1/executions/${id}/events`,
    AbortSignal.timeout(REPLAY_MS),
    () => {},
  );
  await done;
  return {
    started,
    execution,
    events: await pages(async (after) => {
      const { body } = await client.insist("GET", `/api/v1/executions/${id}/events?afterSeq=${after}&limit=${PAGE}`);
      return body["items"] as unknown as ExecutionEvent[]; // the API's own shape
    }),
    overSse: seen.events,
    overGraphql: await pages(async (after) => {
      const query = `query ($id: ID!, $after: Int, $first: Int) { execution(id: $id) { events(afterSeq: $after, first: $first) { ${FIELDS} } } }`;
      const { body } = await client.insist("POST", "/graphql", { query, variables: { id, after, first: PAGE } });
      if (body["errors"] !== undefined) throw new Error(`GraphQL refused: ${JSON.stringify(body)}`);
      return (body["data"] as { execution: { events: unknown[] } }).execution.events as ExecutionEvent[]; // what the query asks for
    }),
    decisions: (await client.all(`/api/v1/decisions?execution_id=${id}`)) as unknown as Decision[], // the API's own shape
    approvals: await client.all(`/api/v1/approvals?execution_id=${id}`),
  };
}

async function pages(read: (afterSeq: number) => Promise<ExecutionEvent[]>): Promise<ExecutionEvent[]> {
  const all: ExecutionEvent[] = [];
  for (;;) {
    const page = await read(all.at(-1)?.seq ?? 0);
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}
