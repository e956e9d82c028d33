import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Annotation, MemorySaver, START, StateGraph, type BaseCheckpointSaver } from "@langchain/langgraph";
import { finishWork } from "../steps/ledger.ts";
import { TASK_STEPS, WORK_MS, type Task } from "./peer.ts";

// node bench/peers/langgraph-front.ts <port> <none|memory|a Firestore project>
const [port, saver] = process.argv.slice(2);
const State = Annotation.Root({ n: Annotation<number>, run: Annotation<number> });
const ended = new Map<string, [string, number][]>();
const checkpointer = await createSaver();
const graphs = { five: compile("five"), work: compile("work") };

async function createSaver(): Promise<BaseCheckpointSaver | undefined> {
  if (saver === undefined || saver === "none") return undefined;
  if (saver === "memory") return new MemorySaver();
  const { FirestoreSaver } = await import("../../src/adapters/firestore/checkpointer.ts");
  return new FirestoreSaver({ firestore: { project: saver } });
}

function compile(task: Task) {
  // Its builder wants node names as literals.
  const graph = new StateGraph(State) as unknown as DataGraph;
  for (let step = 1; step <= TASK_STEPS[task]; step += 1) {
    const work = async ({ n, run }: typeof State.State) => (await finishWork(String(run), `s${step}`, WORK_MS), { n: n + 1 });
    graph.addNode(`s${step}`, task === "work" ? work : async ({ n }: typeof State.State) => ({ n: n + 1 }));
    graph.addEdge(step === 1 ? START : `s${step - 1}`, `s${step}`);
  }
  return graph.compile(checkpointer ? { checkpointer } : {});
}

interface DataGraph {
  addNode(name: string, node: unknown): void;
  addEdge(from: string, to: string): void;
  compile(options: object): { invoke(input: object, config: object): Promise<unknown> };
}

createServer(async (request, response) => {
  request.resume();
  const [, verb, task = "", batch = "", run, wait] = (request.url ?? "").split("/");
  const answer = (body: unknown, status = 200) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (verb === "progress") return answer({ completed: ended.get(task)?.length ?? 0 });
  if (verb === "ends") return answer(ended.get(task) ?? []);
  if (verb !== "start") return answer({ status: "ok" });
  const id = randomUUID();
  const running = graphs[task as Task]
    .invoke({ n: 0, run: Number(run) }, { configurable: { thread_id: id }, durability: "sync" })
    .then((output) => {
      const list = ended.get(batch) ?? [];
      ended.set(batch, list);
      list.push([id, Date.now()]);
      return output;
    });
  return answer(wait === undefined ? { id } : { id, output: await running }, wait === undefined ? 202 : 200);
}).listen(Number(port), "127.0.0.1");
