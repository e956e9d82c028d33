import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Ledger extends AsyncDisposable {
  url: string;
  /** Idempotency keys, in the order in which steps began. */
  begun: string[];
  /** Resolves when that many steps have begun. */
  hasBegun(count: number): Promise<void>;
}

/** Writes down what slow steps begin, outside of every process of the service; `msOf` says how long the n-th one takes, from 0. */
export async function startLedger(msOf: (index: number) => number): Promise<Ledger> {
  const begun: string[] = [];
  let wake = () => {};
  const server = createServer((request, response) => {
    let key = "";
    request.setEncoding("utf8").on("data", (text: string) => (key += text));
    request.on("end", () => {
      begun.push(key);
      response.end(String(msOf(begun.length - 1)));
      wake();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    begun,
    async hasBegun(count) {
      while (begun.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
