import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import type { OpenStoreOptions } from "../open.ts";
import { createCaller } from "./caller.ts";
import { createBlobMemory } from "./checkpoint-memory.ts";
import { createFirestoreClient, type FirestoreClientOptions } from "./client.ts";
import { createCommit } from "./commit.ts";
import { createCreation } from "./create-execution.ts";
import { createDecisions } from "./decisions.ts";
import { createEventWatch } from "./event-watch.ts";
import { createEvents } from "./events.ts";
import { ExecutionCheckpointer } from "./execution-checkpointer.ts";
import { createExecutionReads } from "./executions.ts";
import { createEventTypes } from "./event-types.ts";
import { createParked } from "./parked.ts";
import { createReceived } from "./received.ts";
import { createInbox } from "./inbox.ts";
import { createLimits } from "./limits.ts";
import { createMailWatch } from "./mail-watch.ts";
import { createMarkRelayed } from "./mark-relayed.ts";
import { placesIn } from "./places.ts";
import { createMemories } from "./memories.ts";
import { createRetention } from "./retention.ts";
import { createSchedules } from "./schedules.ts";
import { createWaits } from "./waits.ts";
import { createWebhooks } from "./webhooks.ts";
import { createWorkflows } from "./workflows.ts";

export interface FirestoreStoreOptions extends FirestoreClientOptions {
  clock: Clock;
  /** This process, as leases name it. */
  ownerId: string;
  /** Told of Firestore's time. */
  onTime?: OpenStoreOptions["onTime"];
}

/** The store on Firestore, with the way to run a round of retention at once. */
export interface FirestoreStore extends Store {
  /** Deletes what retention has ended for; also done every ten minutes or so. Resolves with the number of executions deleted. */
  deleteExpired(): Promise<number>;
}

/** State in Firestore below `tenants/{tenant}`. Connects with the first call; each call ends within 5 s, with UNAVAILABLE if need be. */
export function openFirestoreStore({ clock, onTime = () => {}, ...client }: FirestoreStoreOptions): FirestoreStore {
  const firestore = createFirestoreClient(client);
  const caller = createCaller();
  const places = placesIn(firestore);
  const memory = createBlobMemory();
  const watch = createEventWatch({ clock, call: caller.call, places });
  const mail = createMailWatch({ firestore, clock, places });
  const retention = createRetention({ firestore, call: caller.call, places, clock });
  const create = createCreation({ firestore, caller, places, clock });
  const commit = createCommit({ firestore, caller, places, memory, mail });
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    retention.stop();
    watch.close();
    mail.close();
    await caller.close();
    await firestore.terminate();
  }

  return {
    workflows: createWorkflows({ firestore, caller, places }),
    executions: {
      ...createExecutionReads({ firestore, call: caller.call, places, clock, onTime }),
      async create(execution, events) {
        const created = await create(execution, events);
        if (created.created) watch.tell(execution.tenant, execution.id, events);
        return created;
      },
      async commit(request) {
        const handle = await commit(request);
        for (const { execution, events } of request.starts) watch.tell(execution.tenant, execution.id, events);
        if (request.events.length > 0) watch.tell(request.execution.tenant, request.execution.id, request.events);
        return handle;
      },
      markRelayed: createMarkRelayed({ firestore, caller, places }),
    },
    events: createEvents({ firestore, call: caller.call, places, watch }),
    inbox: createInbox({ firestore, caller, places, mail }),
    waits: createWaits({ firestore, caller, places, mail }),
    decisions: createDecisions({ call: caller.call, places }),
    memories: createMemories({ call: caller.call, places, clock }),
    schedules: createSchedules({ firestore, caller, places }),
    webhooks: createWebhooks({ firestore, caller, places }),
    received: createReceived({ firestore, caller, places, clock }),
    parked: createParked({ firestore, caller, places, clock }),
    eventTypes: createEventTypes({ caller, places }),
    limits: createLimits({ call: caller.call, places }),
    checkpointer: new ExecutionCheckpointer({ firestore, call: caller.call, places, memory }),
    deleteExpired: async () => await retention.run(),
    async ping() {
      const askedAt = clock.now();
      const { readTime } = await caller.call(async () => await firestore.doc("signalbox/ping").get());
      onTime(readTime.toMillis(), askedAt);
    },
    close: async () => await (closing ??= close()),
  };
}
