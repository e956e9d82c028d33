/** A worker process of its own: claims whatever is due until nothing is, then prints the ids it won as one JSON line. */
import { openStore } from "../../../src/adapters/open.ts";
import { SignalboxError } from "../../../src/errors.ts";
import { systemClock } from "../../../src/ports/clock.ts";
import type { ExecutionRef, Store } from "../../../src/ports/store.ts";
import { claimOn } from "../store/fixtures.ts";

const [spec = "", ownerId = ""] = process.argv.slice(2);
const store = await openStore(spec, { ownerId, clock: systemClock });
const won: string[] = [];
let lost = 0;

for (;;) {
  const due = await store.executions.due(Date.now(), 40);
  if (due.length === 0) break;
  // Both processes see the same list: the more they collide, the better.
  await Promise.all(due.map((ref) => claim(store, ref)));
}
await store.close();
process.stdout.write(`${JSON.stringify({ won, lost })}\n`);

async function claim(from: Store, { tenant, id }: ExecutionRef): Promise<void> {
  const handle = await from.executions.get(tenant, id);
  if (!handle || handle.execution.owner !== null) return;
  try {
    await from.executions.commit(claimOn(handle, ownerId, Date.now()));
    won.push(id);
  } catch (error) {
    if (!(error instanceof SignalboxError) || error.code !== "LEASE_LOST") throw error;
    lost += 1;
  }
}
