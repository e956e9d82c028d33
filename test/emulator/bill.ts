/** What Firestore would charge for, counted from the calls a client makes. A query is one read at least; these tests' find little. */
export interface Bill {
  commits: number;
  writes: number;
  reads: number;
  /** Documents written by each commit, as paths below the database. */
  written: string[][];
  /** What was in the documents of each commit. */
  bytes: number[];
  readonly onCall: (method: string, request: unknown) => void;
  clear(): void;
}

interface Requests {
  writes?: { update?: { name: string }; delete?: string }[];
  documents?: string[];
}

export function startBill(): Bill {
  const bill: Bill = {
    commits: 0,
    writes: 0,
    reads: 0,
    written: [],
    bytes: [],
    onCall(method, request) {
      const { writes = [], documents = [] } = request as Requests; // Google's own request messages
      if (method === "BatchGetDocuments") bill.reads += documents.length;
      if (method === "RunQuery" || method === "RunAggregationQuery") bill.reads += 1;
      if (method !== "Commit") return;
      bill.commits += 1;
      bill.writes += writes.length;
      bill.bytes.push(bytesIn(writes));
      bill.written.push(writes.map((write) => (write.update?.name ?? write.delete ?? "").replace(/^.*?\/documents\//, "")));
    },
    clear() {
      Object.assign(bill, { commits: 0, writes: 0, reads: 0, written: [], bytes: [] });
    },
  };
  return bill;
}

/** Bytes and characters in a message, however deep. */
function bytesIn(message: unknown): number {
  if (typeof message === "string" || message instanceof Uint8Array) return message.length;
  if (message === null || typeof message !== "object") return 0;
  return Object.values(message).reduce<number>((total, value) => total + bytesIn(value), 0);
}
