import { appendFileSync } from "node:fs";
import { WriteBatch } from "@google-cloud/firestore";

// Loaded before a peer whose Firestore writes are counted: one line per commit, with the number of documents in it.
const sizes = new WeakMap<WriteBatch, number>();
for (const name of ["create", "set", "update", "delete"] as const) {
  const original: unknown = Reflect.get(WriteBatch.prototype, name);
  Reflect.set(WriteBatch.prototype, name, function counted(this: WriteBatch, ...given: unknown[]): unknown {
    sizes.set(this, (sizes.get(this) ?? 0) + 1);
    return Reflect.apply(original as () => unknown, this, given); // a method of the class
  });
}
const { commit } = WriteBatch.prototype;
WriteBatch.prototype.commit = async function countedCommit(this: WriteBatch) {
  appendFileSync(process.env["BENCH_WRITES"] ?? "", `${sizes.get(this) ?? 0}\n`);
  return await commit.call(this);
};
