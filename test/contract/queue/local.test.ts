import { createLocalQueue } from "../../../src/adapters/local/queue.ts";
import { describeQueue } from "./queue.suite.ts";

describeQueue({ name: "the process itself", open: async () => createLocalQueue() });
