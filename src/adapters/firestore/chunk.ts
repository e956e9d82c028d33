/** `work` on the items some at a time, one batch after the other; its results in order. */
export async function inChunks<T, R>(items: readonly T[], size: number, work: (some: readonly T[]) => Promise<readonly R[]>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += size) results.push(...(await work(items.slice(start, start + size))));
  return results;
}
