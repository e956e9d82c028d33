/** Milliseconds of CPU this thread takes for `work`: what is bounded, and what a busy machine does not change. */
export function cpuTimeOf(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
