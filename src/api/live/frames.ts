import { z } from "zod";

export const SUBPROTOCOL = "signalbox.v1";

/** What a client may send on `/api/v1/ws`. */
export const ClientFrame = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("subscribe"),
    id: z.string().max(128).optional().describe("Echoed in the answer"),
    topic: z.string().regex(/^execution:[^\s]{1,255}$/, 'must be "execution:" and the id of an execution'),
    afterSeq: z.number().int().min(0).default(0),
  }),
  z.strictObject({ type: z.literal("unsubscribe"), id: z.string().max(128).optional(), topic: z.string().max(300) }),
  z.strictObject({ type: z.literal("ping"), id: z.string().max(128).optional() }),
]);
export type ClientFrame = z.infer<typeof ClientFrame>;

/** Close codes of the socket; each is safe to reconnect after, with `afterSeq` = the last seq seen. */
export const CLOSE = {
  /** The service stops or restarts. */
  restart: 1012,
  /** The client did not read; the reason names the seq to resume after. */
  slowConsumer: 1013,
  /** The credentials ended, or were none: reconnect with new ones. GraphQL's sub-protocol calls this "Forbidden". */
  credentials: 4403,
} as const;
