/** A worker process that claims what is due and commits on it without end, printing each commit once it is acknowledged. */
import { openStore } from "../../../src/adapters/open.ts";
import { systemClock } from "../../../src/ports/clock.ts";
import { aCheckpointPut, claimOn, commitOn } from "../store/fixtures.ts";

const [spec = "", ownerId = ""] = process.argv.slice(2);
const store = await openStore(spec, { ownerId, clock: systemClock });

await Promise.all(
  (await store.executions.due(Date.now(), 10)).map(async ({ tenant, id }) => {
    const found = await store.executions.get(tenant, id);
    if (!found) return;
    let handle = await store.executions.commit(claimOn(found, ownerId, Date.now()));
    for (;;) {
      const lastSeq = handle.execution.lastSeq + 2;
      handle = await store.executions.commit(commitOn(handle, { lastSeq }, { checkpoints: [aCheckpointPut({ lastSeq })] }));
      process.stdout.write(`${JSON.stringify([id, lastSeq])}\n`);
    }
  }),
);
