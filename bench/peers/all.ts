import { langgraph } from "./langgraph.ts";
import type { Peer } from "./peer.ts";
import { signalbox } from "./signalbox.ts";

export const PEER_NAMES = ["pure", "effects", "langgraph", "memory"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

export const PEERS: Record<PeerName, Peer> = {
  pure: signalbox("Signalbox, pure steps", true),
  effects: signalbox("Signalbox, steps with effects", false),
  langgraph: langgraph("LangGraph, no checkpointer", "none"),
  memory: langgraph("LangGraph + MemorySaver", "memory"),
};
