// node --import: writes which packages a process and its threads have loaded, one file each, when they end.
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { isMainThread } from "node:worker_threads";

const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//;
const loaded = new Set();

registerHooks({
  load(url, context, nextLoad) {
    loaded.add(PACKAGE.exec(url)?.[1]);
    return nextLoad(url, context);
  },
});
process.on("exit", () => {
  loaded.delete(undefined);
  appendFileSync(`${process.env.LOADED_PACKAGES}.${isMainThread ? "main" : "thread"}`, JSON.stringify([...loaded]));
});
