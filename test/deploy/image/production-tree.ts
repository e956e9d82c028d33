import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../repository/source.ts";

interface Lock {
  packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>;
}

/** Lays out in `folder` what the image would hold: the copied files, and the packages that `npm ci --omit=dev --omit=optional` leaves. */
export function layOut(folder: string, content: ReadonlyMap<string, string>): void {
  for (const [file, place] of content) {
    mkdirSync(dirname(join(folder, place)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, place));
  }
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as Lock;
  for (const [path, { dev, optional, devOptional }] of Object.entries(packages)) {
    const isTopLevel = path.lastIndexOf("node_modules/") === 0;
    if (!isTopLevel || dev || optional || devOptional) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(folder, path), "junction");
  }
}
