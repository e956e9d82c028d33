import { expect, test } from "vitest";
import { createLatest } from "../../src/triggers/latest.ts";

function setup() {
  const reads: { key: string; answer: PromiseWithResolvers<string> }[] = [];
  const latest = createLatest(async (key: string) => {
    const answer = Promise.withResolvers<string>();
    reads.push({ key, answer });
    return await answer.promise;
  });
  return { reads, latest };
}

test("whoever asks while a read is under way shares the next one, which begins afterwards", async () => {
  const { reads, latest } = setup();
  const first = latest("a");
  const others = [latest("a"), latest("a"), latest("a")];
  const another = latest("b");
  expect(reads.map(({ key }) => key)).toEqual(["a", "b"]);
  reads[0]?.answer.resolve("before");
  reads[1]?.answer.resolve("of b");
  expect(await first).toBe("before");
  expect(await another).toBe("of b");
  await expect.poll(() => reads.length).toBe(3);
  const late = latest("a");
  reads[2]?.answer.resolve("after");
  expect(await Promise.all(others)).toEqual(["after", "after", "after"]);
  await expect.poll(() => reads.length).toBe(4);
  reads[3]?.answer.resolve("last");
  expect(await late).toBe("last");
});

test("a read that fails fails those who shared it, and nobody else", async () => {
  const { reads, latest } = setup();
  const first = latest("a");
  const second = latest("a");
  reads[0]?.answer.reject(new Error("away"));
  await expect(first).rejects.toThrow("away");
  await expect.poll(() => reads.length).toBe(2);
  reads[1]?.answer.resolve("back");
  expect(await second).toBe("back");
  const third = latest("a");
  expect(reads).toHaveLength(3);
  reads[2]?.answer.resolve("again");
  expect(await third).toBe("again");
});
