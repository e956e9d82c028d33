import { ERRORS } from "../../src/errors.ts";

const INTRODUCTION = `# Errors

One table (\`src/errors.ts\`) serves every surface: REST answers with a row as \`application/problem+json\`
([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), GraphQL under \`extensions\`, the WebSocket as an error frame, and an execution that
failed has the code in \`error.code\`. Codes are stable: match on them, never on texts. *Retryable* says whether the same thing may
succeed later; a step's \`retry\` looks at the same column.

| code | HTTP | retryable | meaning |
|---|---|---|---|
`;

/** The list of all codes with links to their pages, as Markdown. */
export function errorIndexPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, retryable, title }]) => `| [${code}](${code}.md) | ${status} | ${retryable ? "yes" : "no"} | ${title} |`,
  );
  return `${INTRODUCTION}${rows.join("\n")}\n`;
}
