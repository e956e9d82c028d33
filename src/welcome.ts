import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { App } from "./app.ts";
import { LOCAL_PRINCIPAL } from "./definition/access.ts";
import type { ExecutionEvent } from "./definition/event.ts";
import type { JsonObject } from "./definition/json.ts";
import type { WorkflowInput } from "./definition/workflow.ts";
import { SignalboxError } from "./errors.ts";

const EXAMPLES = path.join(import.meta.dirname, "..", "examples");
/** The workflow whose first execution a newcomer sees. */
const SAMPLE = "support-triage";
const SAMPLE_MS = 15_000;

/** What a person sees after the start: where things are and, with the examples, one execution as it happens. */
export async function welcome(app: App): Promise<void> {
  const { config } = app;
  const address = app.server.addresses()[0];
  const host = config.HOST.includes(":") ? `[${config.HOST}]` : config.HOST;
  const port = typeof address === "object" ? address.port : config.PORT;
  const base = `http://${host}:${port}`;
  say(`Signalbox is up (role ${config.SIGNALBOX_ROLE}). State: ${storeText(config.SIGNALBOX_STORE)}`);
  if (config.SIGNALBOX_EXAMPLES && config.SIGNALBOX_ROLE === "all") {
    const ids = await loadExamples(app);
    say(`Workflows loaded from examples/: ${ids.join(", ")}`);
    if (ids.includes(SAMPLE)) await runSample(app);
  }
  if (config.SIGNALBOX_ROLE === "worker") return;
  say("");
  say(`  REST reference   ${base}/docs`);
  say(`  GraphiQL         ${base}/graphiql`);
  say(`  WebSocket        ${base.replace("http", "ws")}/api/v1/ws  (GraphQL subscriptions: ${base.replace("http", "ws")}/graphql)`);
  if (!config.SIGNALBOX_EXAMPLES) return;
  const input = JSON.stringify({ input: await sampleInput() }).replaceAll("'", "'\\''");
  say("");
  say("Start another execution:");
  say(`  curl -s -X POST '${base}/api/v1/workflows/${SAMPLE}/execute?wait=5s' -H 'content-type: application/json' -d '${input}'`);
  say("");
  say("Ctrl-C stops the service; what is running goes on at the next start.");
}

function storeText(spec: string): string {
  if (spec === "sqlite::memory:") return "in memory, lost on exit (SIGNALBOX_STORE=sqlite:<path> keeps it)";
  return spec.startsWith("sqlite:") ? `${path.resolve(spec.slice("sqlite:".length))} (durable)` : spec;
}

async function loadExamples({ workflows }: App): Promise<string[]> {
  const files = (await readdir(EXAMPLES)).filter((name) => name.endsWith(".json")).toSorted();
  const ids: string[] = [];
  for (const file of files) {
    const id = path.basename(file, ".json");
    const definition = JSON.parse(await readFile(path.join(EXAMPLES, file), "utf8")) as WorkflowInput;
    try {
      await workflows.create(LOCAL_PRINCIPAL, { ...definition, id });
    } catch (error) {
      // Loaded by an earlier start, and perhaps changed by its user since: theirs stays.
      if (!(error instanceof SignalboxError) || error.code !== "CONFLICT") throw error;
    }
    ids.push(id);
  }
  return ids;
}

async function sampleInput(): Promise<JsonObject> {
  return JSON.parse(await readFile(path.join(EXAMPLES, "inputs", `${SAMPLE}.json`), "utf8")) as JsonObject;
}

/** Starts the sample and prints its events until it ends or waits for a person. */
async function runSample({ executor }: App): Promise<void> {
  const { tenant } = LOCAL_PRINCIPAL;
  const { execution } = await executor.start(LOCAL_PRINCIPAL, { workflowId: SAMPLE, input: await sampleInput() });
  say("");
  say(`A sample execution of ${SAMPLE} (${execution.id}):`);
  const stop = AbortSignal.timeout(SAMPLE_MS);
  for await (const events of executor.follow(tenant, execution.id, { afterSeq: 0, signal: stop })) {
    for (const event of events) say(`  ${event.at.slice(11, 23)}  ${mark(event)} ${event.summary}`);
    if (events.some(({ type }) => type === "execution.parked")) break;
  }
}

function mark({ type }: ExecutionEvent): string {
  if (type === "decision.recorded") return "◆";
  if (type === "step.waiting" || type === "execution.parked") return "⏸";
  if (type.endsWith(".completed")) return "✓";
  return type.endsWith("failed") ? "✗" : "·";
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
