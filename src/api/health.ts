import type { FastifyInstance } from "fastify";
import { toSignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";

const PING_MS = 2_000;

/** Whether this process wants traffic; the reason is shown where it does not. */
export type Readiness = () => { ready: boolean; reason?: string };

/** What a process says of itself; `lateMs`: how late its event loop is, where it does not keep up. */
export function readinessOf({ isDraining, lateMs }: { isDraining: boolean; lateMs: number | undefined }): ReturnType<Readiness> {
  if (isDraining) return { ready: false, reason: "draining" };
  return lateMs === undefined ? { ready: true } : { ready: false, reason: `the event loop is ${lateMs} ms late` };
}

/**
 * `/livez` says that the event loop turns and nothing else, because a restart does not cure a dependency. `/readyz` adds the
 * process's own wish and the store. `/healthz` tells the same to people.
 */
export function registerHealth(
  app: FastifyInstance,
  { readiness, store, clock }: { readiness: Readiness; store: Store; clock: Clock },
): void {
  const startedAt = clock.now();

  app.get("/livez", { logLevel: "silent" }, async () => ({ status: "ok" }));

  app.get("/readyz", { logLevel: "silent" }, async (_request, reply) => {
    const state = await look();
    return await reply.code(state.status === "ok" ? 200 : 503).send(state);
  });

  app.get("/healthz", { logLevel: "silent" }, async (_request, reply) => {
    const state = await look();
    return await reply
      .code(state.status === "ok" ? 200 : 503)
      .send({ ...state, uptimeSeconds: Math.floor((clock.now() - startedAt) / 1_000) });
  });

  async function look(): Promise<{ status: "ok" | "not_ready"; reason?: string; store?: "ok" | "unavailable" }> {
    const { ready, reason } = readiness();
    if (!ready) return { status: "not_ready", reason: reason ?? "not ready" };
    const problem = await pingProblem();
    return problem === undefined ? { status: "ok", store: "ok" } : { status: "not_ready", reason: problem, store: "unavailable" };
  }

  async function pingProblem(): Promise<string | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<string>();
    const stop = clock.after(PING_MS, () => resolve(`the store did not answer within ${PING_MS} ms`));
    const answer = store.ping().then(
      () => undefined,
      (error: unknown) => `the store cannot be reached (${toSignalboxError(error).code})`,
    );
    const problem = await Promise.race([answer, late]);
    stop();
    return problem;
  }
}
