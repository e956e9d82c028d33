/** What Firestore would charge for, counted from the calls a client makes. A query is one read at least; these tests' find little. */
export interface Bill {
  commits: number;
  writes: number;
  reads: number;
  /** Documents written by each commit, as paths below the database. */
  written: string[][];
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
    onCall(method, request) {
      const { writes = [], documents = [] } = request as Requests; // Google's own request messages
      if (method === "BatchGetDocuments") bill.reads += documents.length;
      if (method === "RunQuery" || method === "RunAggregationQuery") bill.reads += 1;
      if (method !== "Commit") return;
      bill.commits += 1;
      bill.writes += writes.length;
      bill.written.push(writes.map((write) => (write.update?.name ?? write.delete ?? "").replace(/^.*?\/documents\//, "")));
    },
    clear() {
      Object.assign(bill, { commits: 0, writes: 0, reads: 0, written: [] });
    },
  };
  return bill;
}
