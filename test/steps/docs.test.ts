import { expect, test } from "vitest";
import { z } from "zod";
import type { Script } from "../../src/ai/scripted.ts";
import { durationMs } from "../../src/definition/duration.ts";
import type { Execution } from "../../src/definition/execution.ts";
import type { Json, JsonObject } from "../../src/definition/json.ts";
import { createOutbound } from "../../src/outbound/outbound.ts";
import { loadActions, loadStepTypes } from "../../src/registry.ts";
import { createTools } from "../../src/tools/tools.ts";
import { readText, repositoryFiles } from "../repository/source.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { startHttpServer } from "../support/http-server.ts";
import { startMcpServer } from "../support/mcp-server.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";

const ann = { id: "ann", tenant: "default" };
const pages = repositoryFiles().filter((path) => /^docs\/steps\/[a-z_]+\.md$/.test(path));

/** What the comment `<!-- run {...} -->` of a page says about its example. */
const Run = z.strictObject({
  input: z.record(z.string(), z.json()).default({}),
  /** Declared with these values, for an example that reads variables of others. */
  variables: z.record(z.string(), z.json()).default({}),
  /** What the outside answers to every request. */
  http: z.strictObject({ status: z.number().default(200), body: z.json().default(null) }).default({ status: 200, body: null }),
  /** What the model says; the keyless one speaks unless told. */
  script: z.array(z.json()).optional(),
  /** In order, each as soon as the execution waits. */
  answers: z
    .array(
      z.union([
        z.strictObject({ advance: z.string() }),
        z.strictObject({ answer: z.record(z.string(), z.json()), by: z.string().default("ann"), groups: z.array(z.string()).default([]) }),
        z.strictObject({ event: z.string(), data: z.json() }),
      ]),
    )
    .default([]),
  /** Of the example's first step: what its output holds, and which step follows. */
  output: z.json().optional(),
  next: z.string().optional(),
  status: z.string().default("COMPLETED"),
  error: z.record(z.string(), z.json()).optional(),
});

test("every step type has a page, and every page a step type", async () => {
  const types = (await loadStepTypes()).list().map(({ type }) => `docs/steps/${type}.md`);
  expect(pages.toSorted()).toEqual(types.toSorted());
});

test.each(pages)("%s names every field of the config, and none that is not there", async (page) => {
  const stepType = (await loadStepTypes()).get(typeOf(page));
  const fields = stepType?.config instanceof z.ZodObject ? Object.keys(stepType.config.shape) : [];
  const rows = [...readText(page).matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = ""]) => cell);
  const named = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  expect(named.toSorted()).toEqual(fields.toSorted());
});

test.each(pages)("the example of %s passes the checker and does what the page says", { timeout: 30_000 }, async (page) => {
  const { run, workflow, firstStepId } = exampleOf(page);
  const clock = manualClock();
  await using server = await startHttpServer((_request, response) => {
    response.writeHead(run.http.status, { "content-type": "application/json" }).end(JSON.stringify(run.http.body));
  });
  await using mcp = await startMcpServer();
  const options = { allow: [server.entry, mcp.entry], readSecret: () => Promise.resolve("secret-of-the-test") };
  await using outbound = createOutbound(options);
  const tools = createTools({ actions: await loadActions(), mcp: { orders: { url: mcp.url } }, outbound });
  // The script is what a test of ours says, in the shape of scripts.
  const models = run.script ? { default: "scripted:page", scripts: { page: run.script as Script } } : {};
  await using engine = await createEngine({ clock, outbound: options, services: { tools }, models });
  expect(engine.workflows.validate(workflow).issues).toEqual([]);
  // The example's host is asked where it stands in the test.
  const reachable = JSON.parse(JSON.stringify(workflow).replaceAll(/https:\/\/[a-z.-]+\.example\.com/g, server.url)) as typeof workflow;
  const id = await engine.define(reachable);
  const started = await engine.start(id, run.input);
  for (const answer of run.answers) await give(engine, clock, started.id, answer);
  // The first page that needs a tool server loads its client, which is slow on a busy machine.
  await expect.poll(async () => (await engine.executor.get("default", started.id)).endedAt, { timeout: 20_000 }).not.toBeNull();
  const { status, error } = await engine.executor.get("default", started.id);
  expect({ status, ...(run.error ? { error } : {}) }).toMatchObject({ status: run.status, ...(run.error ? { error: run.error } : {}) });
  const first = (await engine.executor.steps("default", started.id)).find(({ stepId }) => stepId === firstStepId);
  if (run.output !== undefined) expect({ output: first?.output }).toMatchObject({ output: run.output });
  if (run.next !== undefined) expect(first?.next).toBe(run.next);
  await tools.close();
});

type Answer = z.infer<typeof Run>["answers"][number];

async function give(engine: Engine, clock: ManualClock, id: string, answer: Answer): Promise<void> {
  await expect.poll(async () => isWaiting(await engine.executor.get("default", id))).toBe(true);
  if ("advance" in answer) {
    const { lastSeq } = await engine.executor.get("default", id);
    clock.advance(durationMs(answer.advance) ?? 0);
    // Waits longer than a day are left to the sweeper, which would look now.
    engine.worker.take({ tenant: "default", executionId: id });
    await expect.poll(async () => (await engine.executor.get("default", id)).lastSeq).toBeGreaterThan(lastSeq);
  }
  if ("event" in answer) await engine.executor.signal(ann, id, answer);
  if ("answer" in answer) {
    const [wait] = (await engine.executor.waits("default", { executionId: id, status: "open", pageSize: 1 })).items;
    const actor = { id: answer.by, tenant: "default", groups: new Set(answer.groups) };
    await engine.executor.answer(actor, wait?.id ?? "", answer.answer);
  }
}

function isWaiting({ isParked, waits }: Execution): boolean {
  return isParked && waits.every(({ answer }) => answer === null);
}

/** The example as a workflow: a lone step is given the steps it leads to. */
function exampleOf(page: string): {
  run: z.infer<typeof Run>;
  workflow: JsonObject & { name: string; steps: never[] };
  firstStepId: string;
} {
  const text = readText(page);
  const run = Run.parse(JSON.parse(/<!-- run (\{.*\}) -->/.exec(text)?.[1] ?? "{}"));
  const example = JSON.parse(/```json\n([^]*?)```/.exec(text)?.[1] ?? "") as JsonObject;
  const variables = Object.fromEntries(Object.entries(run.variables).map(([name, value]) => [name, { default: value }]));
  const steps =
    "steps" in example ? (example["steps"] as JsonObject[]) : [example, ...targetsOf(example).map((id) => ({ id, type: "end" }))];
  const workflow = { name: typeOf(page), variables, ...("steps" in example ? example : {}), steps };
  // The checker, which the test asks first, says whether these are steps.
  return { run, workflow: workflow as never, firstStepId: String(steps[0]?.["id"]) };
}

const TARGETS = new Set(["to", "truePath", "falsePath", "default", "fallback"]);

function targetsOf(step: JsonObject): string[] {
  const found = new Set<string>();
  const walk = (value: Json | undefined, key: string): void => {
    if (typeof value === "string" && TARGETS.has(key)) found.add(value);
    else if (value !== null && typeof value === "object") for (const [name, item] of Object.entries(value)) walk(item, name);
  };
  const { nextSteps, config } = step;
  for (const next of Array.isArray(nextSteps) ? nextSteps : []) walk(next, "to");
  walk(config, "");
  return [...found];
}

function typeOf(page: string): string {
  return /(\w+)\.md$/.exec(page)?.[1] ?? "";
}
