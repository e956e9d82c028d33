import { emulator, langgraphOnFirestore, signalboxOnFirestore } from "./firestore.ts";
import { langgraph } from "./langgraph.ts";
import type { Peer } from "./peer.ts";
import { signalbox } from "./signalbox.ts";

export const PEER_NAMES = ["pure", "effects", "langgraph", "memory", "firestore-pure", "firestore-effects", "firestore-saver"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** Who runs unless told: those on Firestore only beside an emulator. */
export const USUAL_PEERS = PEER_NAMES.filter((name) => emulator !== undefined || !name.startsWith("firestore"));

export const PEERS: Record<PeerName, Peer> = {
  pure: signalbox("Signalbox, pure steps", true),
  effects: signalbox("Signalbox, steps with effects", false),
  langgraph: langgraph("LangGraph, no checkpointer", "none"),
  memory: langgraph("LangGraph + MemorySaver", "memory"),
  "firestore-pure": signalboxOnFirestore("Signalbox on Firestore, pure steps", true),
  "firestore-effects": signalboxOnFirestore("Signalbox on Firestore, steps with effects", false),
  "firestore-saver": langgraphOnFirestore("LangGraph + FirestoreSaver"),
};
