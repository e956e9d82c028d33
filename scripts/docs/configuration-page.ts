import { z } from "zod";
import { configSchema, loadConfig } from "../../src/config.ts";

const introduction = () => `# Configuration

Everything is set by environment variables, read once at start by \`src/config.ts\`, from which this page is generated. Each has a
default that works on a laptop. An empty variable counts as not set. A wrong value ends the start with one line for each problem and
exit code 78, before anything is opened:

\`\`\`console
$ PORT=http npm start
${exampleOfProblem()}
\`\`\`

| variable | values | default | what it does |
|---|---|---|---|
`;

const EXIT_CODES = `
## Exit codes

| code | meaning |
|---|---|
| 0 | stopped by SIGTERM or SIGINT after every running step reached a checkpoint |
| 69 | the port is taken, or the packages could not be installed |
| 73 | the disk cannot be written to |
| 78 | a variable is wrong, or Node is too old |
`;

/** The table of environment variables, as Markdown. */
export function configurationPage(): string {
  // What a variable is after parsing: numbers and flags arrive as text.
  const { properties = {} } = z.toJSONSchema(configSchema, { io: "output", unrepresentable: "any" });
  const rows = Object.entries(properties).map(([name, property]) => {
    const schema: Property = typeof property === "object" ? property : {};
    const described = (schema.description ?? "").replaceAll("|", "\\|");
    return `| \`${name}\` | ${valuesOf(schema)} | ${defaultOf(schema)} | ${described} |`;
  });
  return `${introduction()}${rows.join("\n")}\n${EXIT_CODES}`;
}

type Property = Pick<z.core.JSONSchema.BaseSchema, "type" | "enum" | "minimum" | "maximum" | "format" | "default" | "description">;

function valuesOf({ type, enum: choices, minimum, maximum, format }: Property): string {
  if (choices) return choices.map((choice) => `\`${String(choice)}\``).join(", ");
  if (type === "integer" || type === "number") return `${type}${rangeOf(minimum, maximum)}`;
  if (type === "boolean") return "`true`, `false`";
  return format === "uri" ? "URL" : "text";
}

function rangeOf(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum === undefined) return "";
  return maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? `, ${minimum} to ${maximum}` : `, at least ${minimum}`;
}

function defaultOf({ default: value }: Property): string {
  return value === undefined ? "" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function exampleOfProblem(): string {
  const loaded = loadConfig({ PORT: "http" });
  return "problems" in loaded ? loaded.problems.map((line) => `signalbox: ${line}`).join("\n") : "";
}
