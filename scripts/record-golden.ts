// Records parked executions as this version leaves them, for later versions to finish: node scripts/record-golden.ts 0.1.0
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createApp } from "../src/app.ts";
import { loadConfig } from "../src/config.ts";
import { LOCAL_PRINCIPAL } from "../src/definition/access.ts";
import { WorkflowInput } from "../src/definition/workflow.ts";

const FOLDER = path.join(import.meta.dirname, "..", "test", "fixtures", "golden");

const ask = (id: string, next: string) => ({ id, type: "approval", config: { title: `Go on at ${id}?` }, nextSteps: [next] });
const set = (id: string, values: Record<string, unknown>, next: string[]) => ({
  id,
  type: "transform",
  config: { set: values },
  nextSteps: next,
});

/** What waits in which way, with the input it is started with and the output it ends with once everything is approved. */
const CASES = [
  {
    workflow: {
      id: "line",
      variables: { total: { type: "number", default: 1 }, log: { reducer: "append", default: [] } },
      steps: [
        { ...set("before", { n: "${ input.n * 2 }" }, ["ask"]), output: { total: "${ output.n }", log: "before" } },
        ask("ask", "after"),
        { ...set("after", { n: "${ vars.total + 1 }" }, []), output: { log: "after" } },
      ],
      output: { n: "${ steps.after.output.n }", log: "${ vars.log }", by: "${ steps.ask.output.by }" },
    },
    input: { n: 20 },
    output: { n: 41, log: ["before", "after"], by: "ann" },
  },
  {
    workflow: {
      id: "branches",
      steps: [
        {
          id: "fan",
          type: "parallel",
          config: {
            branches: [
              { name: "left", start: "askLeft", input: { side: "left" } },
              { name: "right", start: "askRight" },
            ],
            join: "joined",
          },
        },
        ask("askLeft", "left"),
        set("left", { side: "${ item.side }" }, ["joined"]),
        ask("askRight", "joined"),
        set("joined", { left: "${ steps.fan.output.results.left.side }" }, []),
      ],
      output: { left: "${ steps.joined.output.left }" },
    },
    input: {},
    output: { left: "left" },
  },
  {
    workflow: {
      id: "rounds",
      steps: [
        {
          id: "each",
          type: "loop",
          config: { loopType: "for_each", over: "${ input.items }", maxIterations: 5, concurrency: 2, body: "askEach" },
        },
        ask("askEach", "double"),
        set("double", { n: "${ item * 2 }" }, []),
      ],
      output: { results: "${ steps.each.output.results }" },
    },
    input: { items: [1, 2, 3] },
    output: { results: [{ n: 2 }, { n: 4 }, { n: 6 }] },
  },
  {
    workflow: {
      id: "large",
      steps: [
        set("make", { text: "${ input.text }" }, ["ask"]),
        ask("ask", "use"),
        set("use", { size: "${ size(steps.make.output.text) }" }, []),
      ],
      output: { size: "${ steps.use.output.size }" },
    },
    input: { text: "x".repeat(40_000) },
    output: { size: 40_000 },
  },
];

const [version] = process.argv.slice(2);
if (version === undefined) throw new Error("Which version? node scripts/record-golden.ts 0.1.0");
await mkdir(FOLDER, { recursive: true });
const file = path.join(FOLDER, `${version}.db`);
await rm(file, { force: true });
const loaded = loadConfig({ SIGNALBOX_STORE: `sqlite:${file}`, SIGNALBOX_LOG: "silent", PORT: "0" });
if ("problems" in loaded) throw new Error(loaded.problems.join());
const app = await createApp({ config: loaded.config });
const expected: Record<string, unknown> = {};
for (const { workflow, input, output } of CASES) {
  await app.workflows.create(LOCAL_PRINCIPAL, WorkflowInput.parse({ name: workflow.id, ...workflow }));
  const { execution } = await app.executor.start(LOCAL_PRINCIPAL, { workflowId: workflow.id, input: input });
  await app.executor.waitForEnd(LOCAL_PRINCIPAL.tenant, execution.id, { timeoutMs: 10_000 });
  expected[execution.id] = output;
}
await app.close();
const database = new DatabaseSync(file);
database.exec("PRAGMA journal_mode = DELETE; VACUUM");
database.close();
for (const suffix of ["-wal", "-shm"]) await rm(`${file}${suffix}`, { force: true });
await writeFile(path.join(FOLDER, `${version}.json`), `${JSON.stringify(expected, null, 2)}\n`);
console.log(`recorded ${Object.keys(expected).length} executions in ${path.relative(process.cwd(), file)}`);
