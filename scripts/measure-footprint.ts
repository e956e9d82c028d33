import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const STARTS = 5;
const IDLE_MS = 3_000;
/** Deleted in the image (Dockerfile): Node runs no TypeScript under node_modules. */
const DELETED = /\.(ts|mts|cts|map)$/;

/** What a start and an idle process cost, and how large the image's packages are. Prints the table of docs/operations.md. */
const cache = mkdtempSync(join(tmpdir(), "signalbox-compile-cache-"));
fillCompileCache();
const starts = [];
for (let index = 0; index < STARTS; index++) starts.push(await measureStart());
const [api, worker] = [await measureStart("api"), await measureStart("worker")];
const waits = starts.map(({ readyMs }) => readyMs).toSorted((left, right) => left - right);
rmSync(cache, { recursive: true });
const packages = measurePackages();

console.log("| what | measured | aim |");
console.log("|---|---|---|");
console.log(
  `| start to ready, embedded store, median of ${STARTS} (fastest, slowest) | ${waits[STARTS >> 1]} ms (${waits[0]}, ${waits.at(-1)}) | 2,000 ms |`,
);
console.log(`| resident memory, idle ${IDLE_MS / 1_000} s after start | ${megabytes(starts[0]?.rssBytes ?? 0)} | 150 MB |`);
console.log(`| the same of a process of the role \`api\`, \`worker\` | ${megabytes(api.rssBytes)}, ${megabytes(worker.rssBytes)} | |`);
console.log(
  `| production \`node_modules\` in the image | ${megabytes(packages.bytes)} in ${packages.files} files, ${megabytes(packages.blocks)} on disk | 200 MB |`,
);

/** As the image does while it is built. */
function fillCompileCache(): void {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-footprint-"));
  const env = {
    PATH: process.env.PATH,
    PORT: "0",
    SIGNALBOX_STORE: `sqlite:${join(folder, "store.db")}`,
    SIGNALBOX_LOG: "error",
    NODE_COMPILE_CACHE: cache,
  };
  execFileSync(process.execPath, ["scripts/fill-compile-cache.ts"], { cwd: ROOT, env, stdio: ["ignore", "ignore", "inherit"] });
  rmSync(folder, { recursive: true });
}

async function measureStart(role: "all" | "api" | "worker" = "all"): Promise<{ readyMs: number; rssBytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-footprint-"));
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, ["src/main.ts"], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      SIGNALBOX_STORE: `sqlite:${join(folder, "store.db")}`,
      SIGNALBOX_ROLE: role,
      SIGNALBOX_LOG: "error",
      NODE_ENV: "production",
      NODE_COMPILE_CACHE: cache,
      MALLOC_ARENA_MAX: "2", // as in the image
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    while (!(await isReady(port))) await pause(5);
    const readyMs = Math.round(performance.now() - startedAt);
    await pause(IDLE_MS);
    return { readyMs, rssBytes: await residentBytes(port) };
  } finally {
    child.kill("SIGTERM");
    await once(child, "exit");
    rmSync(folder, { recursive: true });
  }
}

async function isReady(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/readyz`).then(
    async (response) => (await response.arrayBuffer(), response.ok),
    () => false,
  );
}

async function residentBytes(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
}

/** The packages that `npm ci --omit=dev --omit=optional` installs, as the image keeps them. */
function measurePackages(): { files: number; bytes: number; blocks: number } {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>;
  };
  const wanted = Object.entries(lock.packages).flatMap(([path, { dev, optional, devOptional }]) =>
    path === "" || dev || optional || devOptional ? [] : [path],
  );
  const size = { files: 0, bytes: 0, blocks: 0 };
  for (const path of wanted) add(join(ROOT, path), size);
  return size;
}

function add(folder: string, size: { files: number; bytes: number; blocks: number }): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    // Packages inside are in the lock file by themselves.
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) add(path, size);
    else if (!DELETED.test(entry.name)) {
      const { size: bytes, blocks } = lstatSync(path);
      size.files += 1;
      size.bytes += bytes;
      size.blocks += blocks * 512;
    }
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
