/** Whether `.dockerignore` keeps a path out of the build context: patterns in order, the last that matches decides. */
export function isIgnored(path: string, ignoreFile: string): boolean {
  let ignored = false;
  for (const line of ignoreFile.split("\n").map((text) => text.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const isException = line.startsWith("!");
    const pattern = (isException ? line.slice(1) : line).replace(/^\/|\/$/g, "");
    if (matches(path, pattern)) ignored = !isException;
  }
  return ignored;
}

/** A pattern that names a folder means everything in it. */
function matches(path: string, pattern: string): boolean {
  const parts = path.split("/");
  const regex = new RegExp(`^${pattern.split("**").map(segment).join(".*")}$`);
  return parts.some((_part, index) => regex.test(parts.slice(0, index + 1).join("/")));
}

function segment(text: string): string {
  return text
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
}
