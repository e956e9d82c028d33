import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";
import { SignalboxError } from "../errors.ts";

/** Ports that need no entry of the allow-list. */
const PORTS: ReadonlySet<number> = new Set([80, 443, 8080, 8443]);
/** Where clouds keep the credentials of a machine: opened by an entry for exactly this address only. */
const METADATA: ReadonlySet<string> = new Set(["169.254.169.254", "fd00:ec2::254", "fd20:ce::254"]);
/** Names that mean this machine or this network wherever they are asked for. */
const INSIDE = /(?:^|\.)(?:localhost|internal|local|localdomain|home\.arpa|lan)$/;
const PUBLIC_IPV6 = ipaddr.parseCIDR("2000::/3");

/** Where requests may go. */
export interface EgressRules {
  /** Throws REQUEST_REFUSED where a URL must not be asked, as far as that can be told without its addresses. */
  checkUrl(url: URL): void;
  /** Throws REQUEST_REFUSED where one of the addresses of a host must not be connected to. */
  checkAddresses(addresses: readonly string[], host: { name: string; port: number }): void;
}

/**
 * Public addresses on the ports of the web, and what the operator's list opens beside them: `10.0.0.0/8`, `10.1.2.3:9000`,
 * `[fd00::1]:443`, `payments.internal`, `payments.internal:8443`. An entry without a port opens all of them.
 */
export function createEgressRules({ allow = [], ownAddresses = interfaceAddresses }: EgressOptions = {}): EgressRules {
  const entries = allow.map(parseEntry);

  function isOpenName(name: string, port: number): boolean {
    return entries.some((entry) => entry.kind === "name" && entry.name === name && fits(entry.port, port));
  }

  function isOpenAddress(address: Address, port: number): boolean {
    return entries.some((entry) => {
      if (entry.kind !== "range" || entry.range[0].kind() !== address.kind() || !fits(entry.port, port)) return false;
      if (isMetadata(address) && entry.range[1] !== (address.kind() === "ipv4" ? 32 : 128)) return false;
      return address.match(entry.range);
    });
  }

  function checkAddress(text: string, { name, port }: { name: string; port: number }): void {
    const address = ipaddr.process(text);
    if (isOpenAddress(address, port)) return;
    if (isOpenName(name, port) && !isMetadata(address)) return;
    if (!isPublic(address)) throw refused("REFUSED_ADDRESS", `${name} is at an address that is not public.`, name);
    if (ownAddresses().has(address.toString())) throw refused("REFUSED_ADDRESS", `${name} is this machine.`, name);
    if (!PORTS.has(port)) throw refused("REFUSED_PORT", `Port ${port} is not open for requests.`, name);
  }

  return {
    checkUrl(url) {
      const name = hostOf(url);
      const port = portOf(url);
      if (url.protocol !== "http:" && url.protocol !== "https:") throw refused("REFUSED_URL", "Only http and https URLs are asked.", name);
      if (url.username !== "" || url.password !== "") throw refused("REFUSED_URL", "A URL must not hold a user name or password.", name);
      if (isIP(name) !== 0) checkAddress(name, { name, port });
      else if (INSIDE.test(name) && !isOpenName(name, port)) throw refused("REFUSED_ADDRESS", `${name} is a name of the inside.`, name);
    },
    checkAddresses(addresses, host) {
      if (addresses.length === 0) throw refused("REFUSED_ADDRESS", `${host.name} has no address.`, host.name);
      // One good answer beside a bad one is how a rebinding name looks.
      for (const address of addresses) checkAddress(address, host);
    },
  };
}

export interface EgressOptions {
  allow?: readonly string[] | undefined;
  ownAddresses?: (() => ReadonlySet<string>) | undefined;
}

/** The host of a URL without brackets and without the dot of an absolute name. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

export function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

type Address = ReturnType<typeof ipaddr.process>;
type Entry = { port: number | null } & ({ kind: "range"; range: [Address, number] } | { kind: "name"; name: string });

/** Throws INVALID_INPUT where the text is no entry. */
export function parseEntry(text: string): Entry {
  const bracketed = /^\[([0-9a-f:.]+)\](?::(\d{1,5}))?$/i.exec(text);
  const [, host = text, portText] = bracketed ?? /^([^:/]+):(\d{1,5})$/.exec(text) ?? [];
  const port = portText === undefined ? null : Number(portText);
  if (port === 0 || (port ?? 0) > 65_535) throw invalid(text);
  const [base = "", bits] = host.split("/");
  if (isIP(base) !== 0) {
    const address = ipaddr.process(base);
    const longest = address.kind() === "ipv4" ? 32 : 128;
    const length = bits === undefined ? longest : Number(bits);
    if (!Number.isInteger(length) || length < 0 || length > longest || bits === "") throw invalid(text);
    return { kind: "range", range: [address, length], port };
  }
  const name = host.toLowerCase();
  if (!/^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/.test(name)) throw invalid(text);
  return { kind: "name", name, port };
}

function fits(allowed: number | null, port: number): boolean {
  return allowed === null || allowed === port;
}

function isMetadata(address: Address): boolean {
  return address.range() === "linkLocal" || METADATA.has(address.toString());
}

/** `::127.0.0.1`, the old IPv4-compatible form, counts as unicast: of IPv6 only what is given out today is public. */
function isPublic(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  return address.kind() === "ipv4" || address.match(PUBLIC_IPV6);
}

function interfaceAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => ipaddr.process(address).toString()));
}

function refused(code: string, message: string, host: string): SignalboxError {
  return new SignalboxError("REQUEST_REFUSED", message, { details: { code, host, happened: false } });
}

function invalid(text: string): SignalboxError {
  return new SignalboxError(
    "INVALID_INPUT",
    `SIGNALBOX_EGRESS_ALLOW: "${text}" is no address range, address or host name, with or without a port.`,
  );
}
