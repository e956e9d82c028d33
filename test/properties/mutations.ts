import type { Json, JsonObject } from "../../src/definition/json.ts";
import type { Draw, RawStep, RawWorkflow } from "./definitions.ts";

type Mutation = (workflow: RawWorkflow, draw: Draw) => void;

/** The definition with one or two things changed that may be wrong, and often are. */
export function breakDefinition(workflow: RawWorkflow, draw: Draw): RawWorkflow {
  const broken = structuredClone(workflow);
  for (let count = 1 + draw.below(2); count > 0; count--) draw.of(MUTATIONS)(broken, draw);
  return broken;
}

const aStep = ({ steps }: RawWorkflow, draw: Draw): RawStep => draw.of(steps);
const anId = ({ steps }: RawWorkflow, draw: Draw): string => (draw.chance(15) ? "nowhere" : draw.of(steps).id);
const anOwner = ({ steps }: RawWorkflow, draw: Draw): RawStep | undefined => {
  const owners = steps.filter(({ type }) => type === "parallel" || type === "loop");
  return owners.length === 0 ? undefined : draw.of(owners);
};

const MUTATIONS: readonly Mutation[] = [
  function retarget(workflow, draw) {
    const { nextSteps } = aStep(workflow, draw);
    if (nextSteps.length > 0) nextSteps[draw.below(nextSteps.length)] = anId(workflow, draw);
  },
  function addWay(workflow, draw) {
    const { nextSteps } = aStep(workflow, draw);
    nextSteps.splice(draw.below(nextSteps.length + 1), 0, anId(workflow, draw));
  },
  function addErrorWay(workflow, draw) {
    aStep(workflow, draw).nextSteps.push({ to: anId(workflow, draw), on: draw.of(["error", "skipped", "timeout"]) });
  },
  function cutWays(workflow, draw) {
    aStep(workflow, draw).nextSteps = [];
  },
  function dropStep(workflow, draw) {
    if (workflow.steps.length > 1) workflow.steps.splice(draw.below(workflow.steps.length), 1);
  },
  function doubleId(workflow, draw) {
    aStep(workflow, draw).id = anId(workflow, draw);
  },
  function otherType(workflow, draw) {
    aStep(workflow, draw).type = draw.of(["end", "start", "delay", "nonsense", "transform"]);
  },
  function otherBorder(workflow, draw) {
    const owner = anOwner(workflow, draw);
    if (owner?.type === "loop") owner.config["body"] = anId(workflow, draw);
    else if (owner && draw.chance(50)) owner.config["join"] = anId(workflow, draw);
    else if (owner) (draw.of(owner.config["branches"] as Json[]) as JsonObject)["start"] = anId(workflow, draw);
  },
  function otherHandler(workflow, draw) {
    const onError = { action: draw.of(["goto", "goto", "continue", "fail"]), goto: anId(workflow, draw) };
    if (draw.chance(70)) aStep(workflow, draw)["onError"] = onError;
    else workflow["onError"] = onError;
  },
  function otherOrder(workflow, draw) {
    workflow.steps.unshift(...workflow.steps.splice(draw.below(workflow.steps.length), 1));
  },
  function replacingWrite(workflow, draw) {
    aStep(workflow, draw)["output"] = { s: "c" };
  },
  function oddExpression(workflow, draw) {
    aStep(workflow, draw)["conditions"] = [
      draw.of(["1 +", "vars.nothing == 1", "vars.s", "vars.s > 1", "steps.nowhere.output", "output.x", "true"]),
    ];
  },
  function oddConfig(workflow, draw) {
    const { config } = aStep(workflow, draw);
    const [name, value] = draw.of<[string, Json]>([
      ["maxIterations", 0],
      ["requiredCount", 9],
      ["unknown", 1],
      ["waitFor", "some"],
      ["concurrency", 1.5],
      ["for", "1ms"],
    ]);
    config[name] = value;
  },
];
