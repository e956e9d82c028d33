import { Kind, type DocumentNode, type FieldNode, type FragmentDefinitionNode, type SelectionSetNode } from "graphql";
import { SignalboxError } from "../../errors.ts";

/** Bounds of one GraphQL document, checked before it is validated: validation itself is quadratic in equal fields. */
export const GRAPHQL_LIMITS = {
  queryBytes: 32_768,
  tokens: 4_000,
  depth: 10,
  /** Introspection nests deeper by nature; graphql-js bounds its recursion itself. */
  introspectionDepth: 16,
  aliases: 30,
  rootFields: 20,
  /** Fields that may be resolved, lists counted with the number of rows asked for. */
  cost: 50_000,
} as const;

/** Rows a list is taken to have where the query does not say. */
const LIST_ROWS: Readonly<Record<string, number>> = {
  workflows: 50,
  workflowsPage: 50,
  executions: 50,
  executionsPage: 50,
  approvals: 50,
  approvalsPage: 50,
  decisions: 50,
  decisionsPage: 50,
  events: 200,
  steps: 20,
  checkpoints: 20,
};
const ROW_ARGUMENTS = new Set(["pageSize", "limit", "first", "last"]);
/** What a variable row count is taken for: its value is not known yet, and the answer of this check is cached. */
const VARIABLE_ROWS = 200;

interface Weight {
  depth: number;
  cost: number;
  aliases: number;
}

const NOTHING: Weight = { depth: 0, cost: 0, aliases: 0 };

/** LIMIT_EXCEEDED where the source text is too long to be parsed at all. */
export function checkQueryBytes(source: string): void {
  const bytes = Buffer.byteLength(source);
  if (bytes > GRAPHQL_LIMITS.queryBytes)
    throw new SignalboxError("TOO_LARGE", `The query has ${bytes} bytes; ${GRAPHQL_LIMITS.queryBytes} are allowed.`);
}

/** INVALID_INPUT where the document asks for more than one request should. */
export function checkDocument(document: DocumentNode): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const weights = new Map<string, Weight>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const roots = definition.selectionSet.selections.length;
    const introspects = definition.selectionSet.selections.some(
      (selection) => selection.kind === Kind.FIELD && selection.name.value.startsWith("__"),
    );
    const { depth, cost, aliases } = weightOf(definition.selectionSet, { fragments, weights, open: new Set() });
    hold("root fields", roots, GRAPHQL_LIMITS.rootFields);
    hold("aliases", aliases, GRAPHQL_LIMITS.aliases);
    hold("levels", depth, introspects ? GRAPHQL_LIMITS.introspectionDepth : GRAPHQL_LIMITS.depth);
    hold("resolved fields", cost, GRAPHQL_LIMITS.cost);
  }
}

function hold(what: string, found: number, allowed: number): void {
  if (found <= allowed) return;
  throw new SignalboxError("INVALID_INPUT", `The query has ${found} ${what}; ${allowed} are allowed.`, {
    issues: [{ code: "QUERY_TOO_COMPLEX", pointer: "/query", message: `has ${found} ${what}; ${allowed} are allowed` }],
  });
}

interface Walk {
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Each fragment is weighed once, so that fragments of fragments cannot multiply the work of weighing. */
  weights: Map<string, Weight>;
  open: Set<string>;
}

function weightOf(set: SelectionSetNode, walk: Walk): Weight {
  const sum = { ...NOTHING };
  for (const selection of set.selections) {
    const weight =
      selection.kind === Kind.FIELD
        ? fieldWeight(selection, walk)
        : selection.kind === Kind.INLINE_FRAGMENT
          ? weightOf(selection.selectionSet, walk)
          : fragmentWeight(selection.name.value, walk);
    sum.depth = Math.max(sum.depth, weight.depth);
    sum.cost += weight.cost;
    sum.aliases += weight.aliases;
  }
  return sum;
}

function fieldWeight(field: FieldNode, walk: Walk): Weight {
  const inner = field.selectionSet ? weightOf(field.selectionSet, walk) : NOTHING;
  return { depth: inner.depth + 1, cost: 1 + inner.cost * rowsOf(field), aliases: inner.aliases + (field.alias ? 1 : 0) };
}

function rowsOf(field: FieldNode): number {
  const rows = LIST_ROWS[field.name.value];
  if (rows === undefined) return 1;
  const told = field.arguments?.find(({ name }) => ROW_ARGUMENTS.has(name.value))?.value;
  if (!told) return rows;
  return told.kind === Kind.INT ? Math.max(1, Number(told.value)) : VARIABLE_ROWS;
}

function fragmentWeight(name: string, walk: Walk): Weight {
  const known = walk.weights.get(name);
  if (known) return known;
  const fragment = walk.fragments.get(name);
  // Unknown and circular fragments are refused by validation, which follows.
  if (!fragment || walk.open.has(name)) return NOTHING;
  walk.open.add(name);
  const weight = weightOf(fragment.selectionSet, walk);
  walk.open.delete(name);
  walk.weights.set(name, weight);
  return weight;
}
