import { createRequire } from "node:module";
import { join } from "node:path";
import { ROOT } from "../../repository/source.ts";
import { CUSTOM_RESOURCES } from "./custom-resources.ts";
import { nameOf, type Manifest } from "./render.ts";

const require = createRequire(import.meta.url);

interface Validate {
  (data: unknown): boolean;
  errors?: { instancePath: string; message?: string; keyword: string; params: Record<string, unknown> }[] | null;
}

/** What the API server would refuse: wrong types, missing fields, unknown values, and fields that do not exist. */
export function schemaFindings(manifest: Manifest): string[] {
  const custom = CUSTOM_RESOURCES[`${manifest.apiVersion} ${manifest.kind}`];
  if (custom) {
    const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...rest } = manifest;
    const parsed = custom.safeParse(rest);
    return parsed.success ? [] : parsed.error.issues.map((issue) => `SCHEMA ${nameOf(manifest)}: ${issue.path.join(".")} ${issue.message}`);
  }
  const validate = validatorOf(manifest);
  if (!validate) return [`SCHEMA ${nameOf(manifest)}: there is no ${manifest.kind} in ${manifest.apiVersion}`];
  const unread = new Set<string>();
  const isValid = validate(watched(manifest, "", unread));
  const errors = isValid ? [] : (validate.errors ?? []);
  return [
    ...errors.map(
      ({ instancePath, keyword, params }) => `SCHEMA ${nameOf(manifest)}: ${instancePath} ${keyword} ${JSON.stringify(params)}`,
    ),
    ...[...unread].map((path) => `UNKNOWN_FIELD ${nameOf(manifest)}: ${path}`),
  ];
}

function validatorOf({ apiVersion, kind }: Manifest): Validate | undefined {
  const [group = "", version = ""] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion];
  // The package names its compiled schemas io.k8s.api.<group up to the first dot>.<version>.<kind> and does not export them.
  const name = ["Io", "K8s", "Api", capital(group.split(".")[0] ?? ""), capital(version), kind].join("");
  try {
    const module = require(join(ROOT, "node_modules", "kubernetes-models", "_schemas", `${name}.js`)) as { validate: Validate };
    return module.validate;
  } catch {
    return undefined;
  }
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/**
 * The schemas take unknown fields silently, but a validator reads every field that it knows, and every key of a free map. So what
 * it never read does not exist in the API.
 */
function watched(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const inside = new Map<string, unknown>();
  for (const key of Object.keys(value)) {
    inside.set(key, watched((value as Record<string, unknown>)[key], `${path}/${key}`, unread));
    if (!Array.isArray(value)) unread.add(`${path}/${key}`);
  }
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== "string" || !inside.has(key)) return Reflect.get(target, key) as unknown;
      unread.delete(`${path}/${key}`);
      return inside.get(key);
    },
  });
}
