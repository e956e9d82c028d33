interface Reading<T> {
  now: Promise<T>;
  /** Begins when `now` is over. */
  next: Promise<T> | undefined;
}

/**
 * Reads at most once at a time for each key: whoever asks while a read is under way shares the one after it, because the one under
 * way may have begun before what they want to see.
 */
export function createLatest<T>(read: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const readings = new Map<string, Reading<T>>();

  function begin(key: string): Promise<T> {
    const reading: Reading<T> = { now: read(key), next: undefined };
    readings.set(key, reading);
    const over = (): void => void (reading.next === undefined && readings.delete(key));
    reading.now.then(over, over);
    return reading.now;
  }

  return (key) => {
    const reading = readings.get(key);
    if (!reading) return begin(key);
    const again = () => begin(key);
    return (reading.next ??= reading.now.then(again, again));
  };
}
