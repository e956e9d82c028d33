import { expect, test } from "vitest";
import type { Execution } from "../../src/definition/execution.ts";
import type { EventSink } from "../../src/relay/sink.ts";
import { createTriggerManager, type TriggerManager } from "../../src/triggers/manager.ts";
import { completionSink, publishedSink } from "../../src/triggers/relay-sinks.ts";
import { loadTriggerTypes } from "../../src/triggers/trigger-types.ts";
import { commitOn } from "../contract/store/fixtures.ts";
import { aRelay } from "../relay/support.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";

const types = await loadTriggerTypes();

interface Wired extends AsyncDisposable {
  engine: Engine;
  triggers: TriggerManager;
  sinks: EventSink[];
  clock: ManualClock;
  lines: string[];
  /** Defines an active workflow of one step. */
  define(id: string, more: object): Promise<void>;
  /** Executions of a workflow once everything is at rest. */
  executionsOf(workflowId: string): Promise<Execution[]>;
}

async function wired(): Promise<Wired> {
  const clock = manualClock();
  const sinks: EventSink[] = [];
  const engine = await createEngine({ clock, sinks });
  const triggers = createTriggerManager({
    store: engine.store,
    executor: engine.executor,
    types,
    clock,
    readSecret: async () => undefined,
  });
  const lines: string[] = [];
  const told = { traceparent: () => "00-0-0-00", log: (message: string) => void lines.push(message) };
  sinks.push(completionSink({ triggers, ...told }), publishedSink({ publish: triggers.dispatch, ...told }));
  async function atRest(): Promise<void> {
    for (let n = 0; n < 60; n += 1) {
      await engine.worker.idle();
      await engine.relay.idle();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return {
    engine,
    triggers,
    sinks,
    clock,
    lines,
    async define(id, more) {
      await engine.define({
        id,
        name: id,
        status: "active",
        steps: [{ id: "a", type: "transform", config: { set: { done: true } } }],
        ...more,
      });
    },
    async executionsOf(workflowId) {
      await atRest();
      return (await engine.store.executions.list("default", { workflowId, pageSize: 100 })).items;
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

const onEndOf = (workflowIds: string | undefined, more: object = {}) => ({
  triggers: [
    {
      type: "completion",
      config: { ...(workflowIds && { workflowIds }), ...more },
      input: { id: "${ event.data.executionId }", was: "${ event.data.status }" },
    },
  ],
});
const publishing = (type: string) => ({ steps: [{ id: "tell", type: "publish_event", config: { type, data: { n: "${ input.n }" } } }] });

test("the end of one workflow starts another, with what came of it", async () => {
  await using w = await wired();
  await w.define("first", { output: { done: "${ steps.a.output.done }" } });
  await w.define("second", {
    triggers: [
      {
        type: "completion",
        config: { workflowIds: "first" },
        condition: "event.data.output.done",
        input: { id: "${ event.data.executionId }", output: "${ event.data.output }" },
      },
    ],
  });
  const { id } = await w.engine.run("first");
  const started = await w.executionsOf("second");
  expect(started.map(({ input, status }) => ({ input, status }))).toEqual([{ input: { id, output: { done: true } }, status: "COMPLETED" }]);
  expect(started[0]?.trigger).toMatchObject({
    type: "completion",
    event: { id: `${id}/${(await w.engine.executor.get("default", id)).lastSeq}`, type: "dev.signalbox.execution.completed" },
  });
});

test("only ends it listens to start it: the workflow and the status must fit", async () => {
  await using w = await wired();
  await w.define("works", {});
  await w.define("fails", { steps: [{ id: "a", type: "end", config: { outcome: "failed", message: "no" } }] });
  await w.define("on-failure", onEndOf("fails", { statuses: ["FAILED", "CANCELLED"] }));
  await w.define("on-success", onEndOf("fails"));
  await w.define("on-any", onEndOf(undefined));
  await w.engine.run("works");
  await w.engine.run("fails");
  expect((await w.executionsOf("on-failure")).map(({ input }) => input["was"])).toEqual(["FAILED"]);
  expect(await w.executionsOf("on-success")).toEqual([]);
  // Of its own end it hears only by name.
  expect((await w.executionsOf("on-any")).map(({ input }) => input["was"])).toEqual(["COMPLETED", "COMPLETED"]);
});

test("a relay that hands on again, as after a crash, starts nothing twice", async () => {
  await using w = await wired();
  await w.define("first", publishing("shop.paid"));
  await w.define("second", onEndOf("first"));
  await w.define("third", { triggers: [{ type: "event", config: { eventType: "shop.paid" } }] });
  const { id } = await w.engine.run("first", { n: 1 });
  expect(await w.executionsOf("second")).toHaveLength(1);
  const handle = await w.engine.store.executions.get("default", id);
  if (!handle) throw new Error("it is there");
  // What the record says when a process dies before it notes that it handed on.
  await w.engine.store.executions.commit(commitOn({ ...handle, token: null }, { relayedSeq: 0, relayAt: w.clock.now() }));
  const again = aRelay(w.engine.store, w.clock, w.sinks);
  await again.sweep();
  await again.stop();
  expect((await w.engine.store.executions.get("default", id))?.execution).toMatchObject({
    relayedSeq: handle.execution.lastSeq,
    relayAt: null,
  });
  expect(await w.executionsOf("second")).toHaveLength(1);
  expect(await w.executionsOf("third")).toHaveLength(1);
});

test("an event a step publishes starts what listens to its type, with its id, source and data", async () => {
  await using w = await wired();
  await w.define("first", publishing("shop.paid"));
  await w.define("second", { triggers: [{ type: "event", config: { eventType: "shop.paid" } }] });
  const { id } = await w.engine.run("first", { n: 7 });
  const [started] = await w.executionsOf("second");
  expect(started?.trigger.event).toMatchObject({
    id: `${id}/tell/1`,
    source: "/signalbox/tenants/default/workflows/first",
    type: "shop.paid",
    subject: id,
    data: { n: 7 },
    extensions: { chain: 1 },
  });
  expect(started?.input).toEqual({ n: 7 });
  const published = (await w.engine.events(id)).filter(({ type }) => type === "event.published");
  expect(published).toHaveLength(1);
});

test("workflows that wake each other for ever end after sixteen", async () => {
  await using w = await wired();
  await w.define("ping", { ...onEndOf("pong") });
  await w.define("pong", { ...onEndOf("ping") });
  await w.engine.run("ping");
  const [pings, pongs] = [await w.executionsOf("ping"), await w.executionsOf("pong")];
  expect(pings.length + pongs.length).toBe(17);
  expect(w.lines).toEqual(["completion refused"]);
});

test("who publishes what it listens to ends as well, and says why", async () => {
  await using w = await wired();
  await w.define("echo", { ...publishing("shop.echo"), triggers: [{ type: "event", config: { eventType: "shop.echo" } }] });
  await w.engine.run("echo", { n: 1 });
  expect(await w.executionsOf("echo")).toHaveLength(17);
});

test("the service's own types cannot be published", async () => {
  await using w = await wired();
  await expect(w.define("liar", publishing("dev.signalbox.execution.completed"))).rejects.toMatchObject({ code: "INVALID_DEFINITION" });
  await w.define("sly", publishing("${ input.type }"));
  expect(await w.engine.run("sly", { n: 1, type: "dev.signalbox.execution.completed" })).toMatchObject({
    status: "FAILED",
    error: { code: "INVALID_INPUT" },
  });
});
