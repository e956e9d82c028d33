import type { RootName } from "../cel/environment.ts";
import { pointerTo } from "../pointer.ts";
import { splitTemplate } from "../template.ts";
import type { Outline, OutlinedStep } from "./outline.ts";

/** An expression where it stands: what it may look at there, and whether it must be true or false. */
export interface Place {
  source: string;
  pointer: string;
  names: ReadonlySet<RootName>;
  isCondition: boolean;
}

/** Text that should hold expressions but cannot be taken apart. */
export interface BrokenPlace {
  pointer: string;
  error: unknown;
}

const BEFORE: readonly RootName[] = ["input", "vars", "steps", "trigger", "event", "execution"];
const IN_STEP = new Set<RootName>([...BEFORE, "item", "index"]);
const AFTER_STEP = new Set<RootName>([...IN_STEP, "output"]);
const AFTER_FAILURE = new Set<RootName>([...AFTER_STEP, "error"]);
/** A step evaluates its bare expressions itself and may add names: `item` of a loop, `event` of a wait. */
const IN_TYPE = AFTER_FAILURE;
const AT_END = new Set<RootName>(BEFORE);
const AT_START = new Set<RootName>(["input", "trigger", "event"]);
/** Fields that ask a question, in every step type. */
const CONDITION_FIELD = /\/(when|while|condition|match)$/;
const IN_TRIGGER = new Set<RootName>(["event", "trigger"]);

/** Every expression of a definition. */
export function placesOf({ definition, steps }: Outline): (Place | BrokenPlace)[] {
  return [
    ...definition.triggers.flatMap((trigger, index) => {
      const pointer = pointerTo("/triggers", index);
      return [
        ...bare(trigger.condition, pointerTo(pointer, "condition"), IN_TRIGGER, true),
        ...bare(trigger.dedupeKey, pointerTo(pointer, "dedupeKey"), IN_TRIGGER, false),
        ...templates(trigger.input, pointerTo(pointer, "input"), IN_TRIGGER),
      ];
    }),
    ...steps.flatMap(stepPlaces),
    ...templates(definition.output, "/output", AT_END),
    ...bare(definition.limits?.concurrency?.key, "/limits/concurrency/key", AT_START, false),
  ];
}

function stepPlaces({ step, pointer, strings, ways }: OutlinedStep): (Place | BrokenPlace)[] {
  const config = pointerTo(pointer, "config");
  return [
    ...(step.conditions ?? []).flatMap((source, index) => bare(source, pointerTo(pointer, "conditions", index), IN_STEP, true)),
    ...strings.flatMap(({ pointer: at, text, kind }) => {
      if (kind === "literal") return [];
      return kind === "expression" ? bare(text, config + at, IN_TYPE, CONDITION_FIELD.test(at)) : templates(text, config + at, IN_STEP);
    }),
    ...templates(step.input, pointerTo(pointer, "input"), IN_STEP),
    ...templates(step.output, pointerTo(pointer, "output"), AFTER_STEP),
    ...ways.flatMap(({ next, pointer: at, isImplied }) => {
      const names = next.on === "error" || next.on === "timeout" ? AFTER_FAILURE : AFTER_STEP;
      return isImplied ? [] : bare(next.when, pointerTo(at, "when"), names, true);
    }),
  ];
}

function bare(source: string | undefined, pointer: string, names: ReadonlySet<RootName>, isCondition: boolean): Place[] {
  return source === undefined ? [] : [{ source, pointer, names, isCondition }];
}

function templates(value: unknown, pointer: string, names: ReadonlySet<RootName>): (Place | BrokenPlace)[] {
  if (typeof value === "string") return value.includes("${") ? inText(value, pointer, names) : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => templates(item, pointerTo(pointer, key), names));
}

function inText(text: string, pointer: string, names: ReadonlySet<RootName>): (Place | BrokenPlace)[] {
  try {
    return splitTemplate(text).flatMap((piece) => (typeof piece === "string" ? [] : bare(piece.expression, pointer, names, false)));
  } catch (error) {
    return [{ pointer, error }];
  }
}
