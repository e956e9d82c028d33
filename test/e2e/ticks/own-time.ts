import { DocumentSnapshot, QuerySnapshot, Timestamp } from "@google-cloud/firestore";

// For the control arm only: what Firestore says of the time is replaced by the process's own clock, and the ticks that come early must show.
for (const { prototype } of [DocumentSnapshot, QuerySnapshot])
  Object.defineProperty(prototype, "readTime", { get: () => Timestamp.fromMillis(Date.now()) });
