import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as the server read it. */
export interface SeenHttpRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface HttpServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  url: string;
  port: number;
  /** For `SIGNALBOX_EGRESS_ALLOW`. */
  entry: string;
  requests: SeenHttpRequest[];
  /** Connections made so far, whether they asked anything or not. */
  readonly connections: number;
}

export type Answer = (request: SeenHttpRequest, response: ServerResponse) => void | Promise<void>;

/** A real HTTP server on loopback that answers as told, 200 and nothing unless told. */
export async function startHttpServer(
  answer: Answer = (_request, response) => void response.end(),
  host = "127.0.0.1",
): Promise<HttpServer> {
  const requests: SeenHttpRequest[] = [];
  let connections = 0;
  const server: Server = createServer((incoming, response) => {
    void read(incoming).then((body) => {
      const request = { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, body };
      requests.push(request);
      return answer(request, response);
    });
  });
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    entry: `${host}:${port}`,
    requests,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of incoming) body += String(chunk);
  return body;
}
