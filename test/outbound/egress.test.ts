import { request as plainRequest, Agent } from "undici";
import { describe, expect, test } from "vitest";
import { createEgressRules } from "../../src/outbound/egress-rules.ts";
import type { Resolve } from "../../src/outbound/guarded-agent.ts";
import { createOutbound } from "../../src/outbound/outbound.ts";
import { startHttpServer } from "../support/http-server.ts";
import { failureOf } from "../support/model-request.ts";

const answering =
  (...addresses: string[]): Resolve =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));

/** Spellings of this machine, of private networks and of what else is not the public web; PORT is where somebody listens. */
const REFUSED = [
  "http://127.0.0.1:PORT/",
  "http://2130706433:PORT/",
  "http://0177.0.0.1:PORT/",
  "http://0x7f000001:PORT/",
  "http://0x7f.1:PORT/",
  "http://127.1:PORT/",
  "http://127.0.0.1.:PORT/",
  "http://１２７.0.0.1:PORT/",
  "http://127。0。0。1:PORT/",
  "http:\\\\127.0.0.1:PORT\\",
  "http://0.0.0.0:PORT/",
  "http://0:PORT/",
  "http://[::1]:PORT/",
  "http://[::]:PORT/",
  "http://[::127.0.0.1]:PORT/",
  "http://[::ffff:127.0.0.1]:PORT/",
  "http://[0:0:0:0:0:ffff:7f00:1]:PORT/",
  "http://[64:ff9b::7f00:1]:PORT/",
  "http://[64:ff9b:1::7f00:1]:PORT/",
  "http://[2002:7f00:1::]:PORT/",
  "http://[2001:0:7f00:1::]:PORT/",
  "http://localhost:PORT/",
  "http://LOCALHOST.:PORT/",
  "http://ⓛocalhost:PORT/",
  "http://a.localhost:PORT/",
  "http://user@127.0.0.1:PORT/",
  "http://user:word@example.com:PORT/",
  "http://example.com@127.0.0.1:PORT/",
  "ftp://127.0.0.1:PORT/",
  "file:///etc/passwd",
  "gopher://127.0.0.1:PORT/",
  "data:text/plain,x",
  "http://169.254.169.254/computeMetadata/v1/",
  "http://[::ffff:169.254.169.254]/",
  "http://metadata.google.internal/computeMetadata/v1/",
  "http://metadata.google.internal./",
  "http://10.0.0.1/",
  "http://172.16.0.1/",
  "http://192.168.0.1/",
  "http://100.64.0.1/",
  "http://192.0.0.170/",
  "http://198.18.0.1/",
  "http://224.0.0.1/",
  "http://240.0.0.1/",
  "http://255.255.255.255/",
  "http://[fd00::1]/",
  "http://[fe80::1]/",
  "http://[fec0::1]/",
  "http://[ff02::1]/",
  "http://[fd00:ec2::254]/",
  "http://8.8.8.8:22/",
  "https://8.8.8.8:6379/",
];

describe("outbound requests", () => {
  test("no spelling of an address inside is connected to, and none of them is even resolved to something else", async () => {
    await using inside = await startHttpServer();
    await using inside6 = await startHttpServer(undefined, "::1").catch(() => startHttpServer());
    // Names that get as far as being resolved are told the address where somebody listens.
    await using outbound = createOutbound({ resolve: answering("127.0.0.1") });
    const ports = [inside, inside6].map(({ port }) => `:${port}`);
    for (const url of REFUSED.flatMap((template) => [...ports, ""].map((port) => template.replace(":PORT", port)))) {
      const error = await failureOf(outbound.request({ url, maxRedirects: 3 }));
      expect({ url, code: error.code, happened: error.details["happened"] }).toEqual({ url, code: "REQUEST_REFUSED", happened: false });
    }
    expect(inside.connections + inside6.connections).toBe(0);
  });

  test("a name is refused when one of its addresses is inside, whatever the others are", async () => {
    await using inside = await startHttpServer();
    for (const addresses of [
      ["127.0.0.1"],
      ["93.184.215.14", "127.0.0.1"],
      ["::1"],
      ["93.184.215.14", "fe80::1"],
      ["::ffff:10.0.0.1"],
      [],
    ]) {
      await using outbound = createOutbound({ allow: ["93.184.215.14"], resolve: answering(...addresses) });
      const error = await failureOf(outbound.request({ url: `http://rebind.example:${inside.port}/` }));
      expect(error).toMatchObject({ code: "REQUEST_REFUSED", details: { code: "REFUSED_ADDRESS", host: "rebind.example" } });
    }
    expect(inside.connections).toBe(0);
  });

  test("a name that changes its mind between two requests is checked both times, and the addresses checked are the ones used", async () => {
    await using inside = await startHttpServer();
    await using open = await startHttpServer((_request, response) => void response.end("open"), "127.0.0.2");
    const answers = ["127.0.0.2", "127.0.0.1", "127.0.0.2"];
    let asked = 0;
    await using outbound = createOutbound({ allow: ["127.0.0.2"], resolve: () => answering(answers[asked++] ?? "127.0.0.1")("") });
    const url = `http://rebind.example:${open.port}/`;
    expect((await outbound.request({ url })).status).toBe(200);
    expect(await failureOf(outbound.request({ url: `http://rebind.example:${inside.port}/` }))).toMatchObject({ code: "REQUEST_REFUSED" });
    expect((await outbound.request({ url })).status).toBe(200);
    expect(asked).toBe(3);
    expect(inside.connections).toBe(0);
  });

  test("a socket that somebody else opened, or that an earlier request opened, is never used again", async () => {
    await using server = await startHttpServer();
    const keepAlive = new Agent({ keepAliveTimeout: 60_000 });
    const url = `${server.url}/`;
    await (await plainRequest(url, { dispatcher: keepAlive })).body.dump();
    await using closed = createOutbound();
    expect(await failureOf(closed.request({ url }))).toMatchObject({ code: "REQUEST_REFUSED" });
    expect(server.connections).toBe(1);
    await using outbound = createOutbound({ allow: [server.entry] });
    await outbound.request({ url });
    await outbound.request({ url });
    expect(server.connections).toBe(3);
    expect(server.requests.slice(1).map(({ headers }) => headers.connection)).toEqual(["close", "close"]);
    await keepAlive.destroy();
  });

  test("a redirect inside, to another scheme or in a circle is refused, and nobody is connected to", async () => {
    await using inside = await startHttpServer();
    let location = "";
    await using open = await startHttpServer((_request, response) => void response.writeHead(302, { location }).end());
    await using outbound = createOutbound({ allow: [open.entry], resolve: answering("127.0.0.1") });
    const ask = async (to: string) => {
      location = to;
      return await failureOf(outbound.request({ url: open.url, maxRedirects: 5 }));
    };
    for (const to of [
      `${inside.url}/`,
      `http://localhost:${inside.port}/`,
      `//0x7f.1:${inside.port}/`,
      `http://rebind.example:${inside.port}/`,
      "file:///etc/passwd",
      "http://a:b@[/",
    ]) {
      expect(await ask(to)).toMatchObject({ code: "REQUEST_REFUSED" });
    }
    expect(inside.connections).toBe(0);
    const before = open.requests.length;
    expect(await ask("/again")).toMatchObject({ code: "REQUEST_REFUSED", details: { code: "TOO_MANY_REDIRECTS" } });
    expect(open.requests.length - before).toBe(6);
  });

  test("an address of this machine is refused although it is public", () => {
    const rules = createEgressRules({ ownAddresses: () => new Set(["93.184.215.14", "2606:4700::1111"]) });
    const ask = (url: string) => () => rules.checkUrl(new URL(url));
    expect(ask("http://93.184.215.14/")).toThrow("is this machine");
    expect(ask("http://[2606:4700::1111]/")).toThrow("is this machine");
    expect(ask("http://93.184.215.15/")).not.toThrow();
    expect(ask("https://[2606:4700::1112]/")).not.toThrow();
  });
});

describe("the operator's list", () => {
  const isOpen = (allow: string[], url: string, ...addresses: string[]) => {
    const rules = createEgressRules({ allow, ownAddresses: () => new Set() });
    const parsed = new URL(url);
    try {
      rules.checkUrl(parsed);
      if (addresses.length > 0) rules.checkAddresses(addresses, { name: parsed.hostname, port: Number(parsed.port || 80) });
      return true;
    } catch {
      return false;
    }
  };

  test.each([
    [["10.0.0.0/8"], "http://10.1.2.3:9000/", true],
    [["10.0.0.0/8"], "http://11.1.2.3:9000/", false],
    [["10.1.2.3:9000"], "http://10.1.2.3:9000/", true],
    [["10.1.2.3:9000"], "http://10.1.2.3:9001/", false],
    [["[fd00::1]:443"], "https://[fd00::1]/", true],
    [["fd00::/8"], "http://[fd12::1]:99/", true],
    [["8.8.8.8:22"], "http://8.8.8.8:22/", true],
    [["0.0.0.0/0"], "http://127.0.0.1:1/", true],
    [["0.0.0.0/0"], "http://169.254.169.254/", false],
    [["169.254.0.0/16"], "http://169.254.169.254/", false],
    [["169.254.169.254"], "http://169.254.169.254/", true],
  ])("%j and %s: %j", (allow, url, expected) => expect(isOpen(allow, url)).toBe(expected));

  test.each([
    [["payments.internal"], "http://payments.internal:9000/", ["10.0.0.1"], true],
    [["payments.internal:80"], "http://payments.internal:9000/", ["10.0.0.1"], false],
    [["payments.internal"], "http://evil.payments.internal/", ["10.0.0.1"], false],
    [["payments.internal"], "http://payments.internal/", ["169.254.169.254"], false],
    [["api.example.com:8000"], "http://api.example.com:8000/", ["93.184.215.14"], true],
    [[], "http://api.example.com:8000/", ["93.184.215.14"], false],
    [["10.0.0.0/8"], "http://db.example.com:5000/", ["10.0.0.1"], true],
    [["10.0.0.0/8"], "http://db.example.com:5000/", ["10.0.0.1", "192.168.0.1"], false],
  ])("%j and %s at %j: %j", (allow, url, addresses, expected) => expect(isOpen(allow, url, ...addresses)).toBe(expected));

  test.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.1:0", "10.0.0.1:70000", "http://x", "a b", "*.example.com", "", "[fd00::1", "-x"])(
    "%j is no entry",
    (entry) => expect(() => createEgressRules({ allow: [entry] })).toThrow("SIGNALBOX_EGRESS_ALLOW"),
  );
});
