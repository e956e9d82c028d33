import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import type { Step } from "../step.ts";
import type { WorkflowDefinition } from "../workflow.ts";
import { didYouMean } from "../closest-name.ts";
import type { Outline, OutlinedStep } from "./outline.ts";

/** A decision has something to choose from, and a fallback where the policy counts on one. */
export function checkDecisions(outline: Outline): Issue[] {
  const issues = outline.steps.filter(({ type }) => type?.type === "decision").flatMap((step) => decision(step, outline));
  const allowed = outline.definition.policy?.allowedNextSteps ?? [];
  return [
    ...issues,
    ...allowed.flatMap((id, index) => unknownOption(id, pointerTo("/policy/allowedNextSteps", index), outline.byId.keys())),
  ];
}

function decision({ step, pointer, ways }: OutlinedStep, { definition }: Outline): Issue[] {
  const options = new Set(ways.filter(({ next }) => (next.on ?? "success") === "success").map(({ next }) => next.to));
  if (options.size === 0) {
    return [
      {
        code: "DECISION_WITHOUT_OPTIONS",
        pointer: pointerTo(pointer, "nextSteps"),
        message: `The decision "${step.id}" has nothing to choose from.`,
        hint: "Name its options in nextSteps, each with a description.",
      },
    ];
  }
  const { fallback } = step.config;
  if (typeof fallback === "string") return unknownOption(fallback, pointerTo(pointer, "config", "fallback"), options);
  const counting = RECOURSES.find((rule) => recourseOf(step, definition, rule) === "fallback");
  if (counting === undefined) return [];
  return [
    {
      code: "DECISION_WITHOUT_FALLBACK",
      pointer: pointerTo(pointer, "config"),
      message: `The policy's ${counting} is "fallback", but the decision "${step.id}" has none.`,
      hint: `Set config.fallback to one of ${[...options].join(", ")}.`,
    },
  ];
}

const RECOURSES = ["onLowConfidence", "onViolation"] as const;

/** What the policies say; what the config says itself is checked by the step type. */
function recourseOf(step: Step, definition: WorkflowDefinition, rule: (typeof RECOURSES)[number]): unknown {
  if (step.config[rule] !== undefined) return undefined;
  const own = step.config["policy"];
  const ofStep = typeof own === "object" && own !== null && !Array.isArray(own) ? own[rule] : undefined;
  return ofStep ?? definition.policy?.[rule];
}

function unknownOption(id: string, pointer: string, known: Iterable<string>): Issue[] {
  const ids = [...known];
  if (ids.includes(id)) return [];
  return [
    {
      code: "UNKNOWN_TARGET",
      pointer,
      message: `"${id}" is none of the steps that can be chosen.`,
      hint: didYouMean(id, ids) ?? `They are ${ids.slice(0, 20).join(", ")}.`,
    },
  ];
}
