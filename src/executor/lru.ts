/** The most recently used values, made when missing. */
export interface Lru<T> {
  get(key: string, make: () => T): T;
  delete(key: string): void;
}

export function createLru<T>(capacity: number): Lru<T> {
  // A Map iterates in insertion order: re-inserting on use keeps the oldest first.
  const values = new Map<string, T>();
  return {
    get(key, make) {
      const known = values.get(key);
      const value = known ?? make();
      if (known !== undefined) values.delete(key);
      values.set(key, value);
      if (values.size > capacity) values.delete(values.keys().next().value ?? key);
      return value;
    },
    delete: (key) => void values.delete(key),
  };
}
