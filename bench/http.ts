import { Pool } from "undici";

/** Sockets of the driver: enough to keep a peer busy, few enough that the driver is not what is measured. */
export const SOCKETS = 64;

/** A pool of keep-alive connections to one peer. */
export function connect(baseUrl: string, connections: number = SOCKETS): Pool {
  return new Pool(baseUrl, { connections, pipelining: 1, headersTimeout: 120_000, bodyTimeout: 120_000 });
}

export async function getJson(http: Pool, path: string): Promise<unknown> {
  const { statusCode, body } = await http.request({ method: "GET", path });
  return await read(statusCode, body, path);
}

export async function postJson(http: Pool, path: string, json: unknown): Promise<unknown> {
  return await post(http, path, JSON.stringify(json));
}

export async function post(http: Pool, path: string, text: string): Promise<unknown> {
  const { statusCode, body } = await http.request({ method: "POST", path, body: text, headers: { "content-type": "application/json" } });
  return await read(statusCode, body, path);
}

async function read(status: number, body: { text(): Promise<string> }, path: string): Promise<unknown> {
  const text = await body.text();
  if (status >= 300) throw new Error(`${path} answered ${status}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}
