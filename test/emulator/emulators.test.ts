import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test, vi } from "vitest";
import { findSdkEmulators } from "../../scripts/emulators/google-cloud-sdk.ts";
import { shimJar, writeShims } from "../../scripts/emulators/shims.ts";
import setup from "../support/emulators.ts";
import { emulated, firestoreAddress, newProject } from "./projects.ts";

async function isOpen(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  const socket = connect({ host: host ?? "", port: Number(port) });
  const opened = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)]).catch(() => false);
  socket.destroy();
  return opened;
}

/** The command through scripts/emulators.ts, and the lines it prints. */
function throughScript(program: string) {
  const { FIRESTORE_EMULATOR_HOST: _firestore, PUBSUB_EMULATOR_HOST: _pubsub, ...environment } = process.env;
  const script = spawn(process.execPath, ["scripts/emulators.ts", "--", "node", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environment,
  });
  return { script, lines: createInterface({ input: script.stdout })[Symbol.asyncIterator]() };
}

const PRINT_HOSTS = "console.log(process.env.FIRESTORE_EMULATOR_HOST + ' ' + process.env.PUBSUB_EMULATOR_HOST);";

describe.runIf(emulated)("the emulators", () => {
  test("run for a command, pass on its exit code and end with it", { timeout: 90_000 }, async () => {
    const { script, lines } = throughScript(`${PRINT_HOSTS} process.exit(7)`);
    const hosts = String((await lines.next()).value).split(" ");
    expect(await once(script, "exit")).toEqual([7, null]);
    for (const host of hosts) expect(await isOpen(host)).toBe(false);
  });

  test("end also when who started them is killed", { timeout: 90_000 }, async () => {
    const { script, lines } = throughScript(`${PRINT_HOSTS} setInterval(() => process.ppid === 1 && process.exit(), 100)`);
    const hosts = String((await lines.next()).value).split(" ");
    for (const host of hosts) expect(await isOpen(host)).toBe(true);
    script.kill("SIGKILL");
    for (const host of hosts) await expect.poll(() => isOpen(host), { timeout: 30_000, interval: 200 }).toBe(false);
  });
});

describe.runIf(emulated)("the rules", () => {
  test("let nobody in who comes without the service's account", async () => {
    const url = `http://${firestoreAddress}/v1/projects/${newProject()}/databases/(default)/documents/tenants/default/executions`;
    expect((await fetch(`${url}/x`)).status).toBe(403);
    const write = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: '{"fields": {}}' });
    expect(write.status).toBe(403);
    // As the emulator takes the owner: what is refused above is refused by the rules.
    expect((await fetch(`${url}/x`, { headers: { authorization: "Bearer owner" } })).status).toBe(404);
  });
});

describe("without Java", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  /** The global setup of these suites on a machine whose PATH has no Java. */
  async function setUp(ci: string): Promise<{ provided: unknown; printed: unknown[][] }> {
    for (const name of ["FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"]) vi.stubEnv(name, "");
    vi.stubEnv("PATH", mkdtempSync(join(tmpdir(), "signalbox-empty-")));
    vi.stubEnv("CI", ci);
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    let provided: unknown;
    await setup({ provide: (_key, value) => void (provided = value) });
    return { provided, printed: log.mock.calls };
  }

  test("the suites are skipped with one printed line", async () => {
    const { provided, printed } = await setUp("");
    expect(provided).toBeNull();
    expect(printed).toEqual([[expect.stringMatching(/^Emulator suites are skipped: no working "java"[^\n]*$/)]]);
  });

  test("they fail where CI is set", async () => {
    await expect(setUp("true")).rejects.toThrow("The emulator suites must run in CI");
  });
});

describe("an installed Google Cloud SDK", () => {
  const root = mkdtempSync(join(tmpdir(), "signalbox sdk'"));
  const put = (...path: string[]) => {
    mkdirSync(join(root, "platform", ...path.slice(0, -1)), { recursive: true });
    writeFileSync(join(root, "platform", ...path), "");
    return join(root, "platform", ...path);
  };
  const jar = put("cloud-firestore-emulator", "cloud-firestore-emulator.jar");

  test("is found where CLOUDSDK_ROOT_DIR says", () => {
    expect(findSdkEmulators({ CLOUDSDK_ROOT_DIR: root, PATH: "" })).toMatchObject({ firestoreJar: jar });
  });

  test.skipIf(process.platform === "win32")("is used through files of our own, so that nothing of it has to be writable", () => {
    const script = put("pubsub-emulator", "bin", "cloud-pubsub-emulator");
    const paths = writeShims(findSdkEmulators({ CLOUDSDK_ROOT_DIR: root, PATH: "" }), mkdtempSync(join(tmpdir(), "signalbox-modules-")));
    for (const path of Object.values(paths)) expect(path.startsWith(root)).toBe(false);
    expect(readFileSync(paths["PUBSUB_EMULATOR_BINARY_PATH"] ?? "", "utf8")).toContain(script.replaceAll("'", "'\\''"));
  });

  test("is used from a shim whose manifest Java accepts: no line over 72 bytes", () => {
    const long = `file:///${"very/".repeat(60)}deep.jar`;
    const text = shimJar("a.Main", long).toString("latin1");
    const manifest = text.slice(text.indexOf("Manifest-Version"), text.indexOf("\r\n\r\n"));
    for (const line of manifest.split("\r\n")) expect(line.length).toBeLessThanOrEqual(72);
    expect(manifest.replaceAll("\r\n ", "")).toContain(`Class-Path: ${long}`);
  });
});
