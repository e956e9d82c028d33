import { openStore } from "../../../src/adapters/open.ts";
import { LOCAL_PRINCIPAL } from "../../../src/definition/access.ts";
import { systemClock } from "../../../src/ports/clock.ts";
import type { Started } from "./actors.ts";
import type { Violation } from "./checks.ts";

const { tenant: TENANT } = LOCAL_PRINCIPAL;

/** What a service that was stopped left behind in its store: no lease, no work, no mail, no open question. */
export async function leftovers(spec: string, all: readonly Started[]): Promise<Violation[]> {
  const store = await openStore(spec, { ownerId: "kill-test", clock: systemClock });
  try {
    const violations: Violation[] = [];
    const find = (run: string, what: string) => violations.push({ check: "nothing is left behind", run, what });
    for (const { run, id } of all) {
      const found = await store.executions.get(TENANT, id);
      if (!found) find(run.run, "there is no such execution");
      else if (found.execution.owner !== null) find(run.run, `is leased to ${found.execution.owner}`);
      if (found && found.execution.status !== "FAILED" && found.execution.waits.length > 0) find(run.run, "has ended and waits");
    }
    for (const { id, wakeAt } of await store.executions.due(Number.MAX_SAFE_INTEGER, 1_000)) find(id, `is to be woken at ${wakeAt}`);
    for (const { id } of await store.inbox.waiting(Number.MAX_SAFE_INTEGER, 1_000)) find(id, "has mail nobody read");
    for (const { id } of (await store.waits.list(TENANT, { status: "open", pageSize: 100 })).items)
      find(id, "is an open wait of no execution that waits");
    const known = new Set(all.map(({ id }) => id));
    for (let pageToken: string | undefined, isFirst = true; isFirst || pageToken !== undefined; isFirst = false) {
      const page = await store.executions.list(TENANT, { pageSize: 200, pageToken });
      for (const { id } of page.items) if (!known.has(id)) find(id, "is an execution nobody was told of");
      pageToken = page.nextPageToken;
    }
    return violations;
  } finally {
    await store.close();
  }
}
