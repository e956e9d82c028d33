import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import type { FastifyInstance } from "fastify";
import { SignalboxError } from "../../errors.ts";
import { OFFLINE_POLICY } from "./reference.ts";

const require = createRequire(import.meta.url);

/** GraphiQL's own files, out of its npm packages: no CDN. */
const ASSETS = {
  "react.js": { file: "react/umd/react.production.min.js", type: "text/javascript; charset=utf-8" },
  "react-dom.js": { file: "react-dom/umd/react-dom.production.min.js", type: "text/javascript; charset=utf-8" },
  "graphiql.js": { file: "graphiql/graphiql.min.js", type: "text/javascript; charset=utf-8" },
  "graphiql.css": { file: "graphiql/graphiql.min.css", type: "text/css; charset=utf-8" },
} as const;

const START = `query Start {
  workflows {
    id
    version
    status
    executionStats { total completed failed }
  }
  executions(pageSize: 10) {
    id
    workflowId
    status
    waits { kind stepId }
  }
}

# Give the variables {"id": "<an execution's id>"}
subscription Watch($id: ID!) {
  executionEvents(executionId: $id, afterSeq: 0) {
    seq
    type
    summary
  }
}
`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>GraphiQL · Signalbox</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/graphiql/graphiql.css">
<style>body{margin:0}#graphiql{height:100dvh}</style>
</head>
<body>
<div id="graphiql">Loading …</div>
<script src="/graphiql/react.js"></script>
<script src="/graphiql/react-dom.js"></script>
<script src="/graphiql/graphiql.js"></script>
<script>
const fetcher = GraphiQL.createFetcher({ url: "/graphql", subscriptionUrl: location.origin.replace(/^http/, "ws") + "/graphql" });
ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, defaultEditorToolsVisibility: true, defaultQuery: ${JSON.stringify(START)} }),
);
</script>
</body>
</html>
`;

/** GraphiQL at `/graphiql`, with subscriptions. An installation without the optional packages says so. */
export function registerGraphiQL(app: FastifyInstance): void {
  app.get("/graphiql", async (_request, reply) => {
    requireAsset("graphiql.js");
    return await reply.type("text/html; charset=utf-8").header("content-security-policy", OFFLINE_POLICY).send(PAGE);
  });

  app.get("/graphiql/:asset", async (request, reply) => {
    const { asset } = request.params as { asset: string }; // the route's own parameter
    if (!isAsset(asset)) throw new SignalboxError("NOT_FOUND", "GraphiQL has no such file.");
    return await reply
      .type(ASSETS[asset].type)
      .header("cache-control", "public, max-age=3600")
      .send(createReadStream(requireAsset(asset)));
  });
}

function isAsset(name: string): name is keyof typeof ASSETS {
  return Object.hasOwn(ASSETS, name);
}

function requireAsset(name: keyof typeof ASSETS): string {
  const { file } = ASSETS[name];
  const [packageName = ""] = file.split("/");
  for (const folder of require.resolve.paths(packageName) ?? []) {
    try {
      return require.resolve(`${folder}/${file}`);
    } catch {
      continue;
    }
  }
  throw new SignalboxError("NOT_FOUND", "GraphiQL is not part of this installation (npm install without --omit=optional adds it).");
}
