/** An RFC 6901 JSON pointer one level below `parent`. */
export function pointerTo(parent: string, ...keys: PropertyKey[]): string {
  return keys.reduce<string>((pointer, key) => `${pointer}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`, parent);
}

/** The keys a JSON pointer walks through. */
export function pointerKeys(pointer: string): string[] {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}
