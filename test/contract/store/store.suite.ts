import { describe } from "vitest";
import type { Store } from "../../../src/ports/store.ts";
import { decisionsSuite } from "./decisions.suite.ts";
import { eventsSuite } from "./events.suite.ts";
import { commitsSuite } from "./execution-commits.suite.ts";
import { creationSuite } from "./execution-creation.suite.ts";
import { executionListsSuite } from "./execution-lists.suite.ts";
import { executionStatsSuite } from "./execution-stats.suite.ts";
import { inboundSuite } from "./inbound.suite.ts";
import { inboxSuite } from "./inbox.suite.ts";
import { leasesSuite } from "./leases.suite.ts";
import { lifeSuite } from "./life.suite.ts";
import { limitsSuite } from "./limits.suite.ts";
import { oddDataSuite } from "./odd-data.suite.ts";
import { memoriesSuite } from "./memories.suite.ts";
import { relaySuite } from "./relay.suite.ts";
import { schedulesSuite } from "./schedules.suite.ts";
import { tenantsSuite } from "./tenants.suite.ts";
import { waitsSuite } from "./waits.suite.ts";
import { watchSuite } from "./watch.suite.ts";
import { webhooksSuite } from "./webhooks.suite.ts";
import { workflowsSuite } from "./workflows.suite.ts";

/** What an adapter gives to be measured against the `Store` port. */
export interface StoreUnderTest {
  name: string;
  /** A store on data nobody else uses. */
  open(): Promise<Store>;
  /** Another handle on the same data, as another process would have it. */
  openSecond?(first: Store): Promise<Store>;
}

/**
 * Every promise of `src/ports/store.ts`, on one adapter.
 *
 * @example
 * describeStore({ name: "memory", open: () => openStore("sqlite::memory:", { ownerId: "a", clock: systemClock }) });
 */
export function describeStore(adapter: StoreUnderTest): void {
  describe(`store on ${adapter.name}`, () => {
    workflowsSuite(adapter);
    creationSuite(adapter);
    commitsSuite(adapter);
    executionListsSuite(adapter);
    executionStatsSuite(adapter);
    leasesSuite(adapter);
    relaySuite(adapter);
    webhooksSuite(adapter);
    eventsSuite(adapter);
    inboxSuite(adapter);
    waitsSuite(adapter);
    decisionsSuite(adapter);
    memoriesSuite(adapter);
    schedulesSuite(adapter);
    inboundSuite(adapter);
    limitsSuite(adapter);
    watchSuite(adapter);
    tenantsSuite(adapter);
    oddDataSuite(adapter);
    lifeSuite(adapter);
  });
}
