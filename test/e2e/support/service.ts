import { startChild, type Child } from "./child.ts";

export interface ServiceOptions {
  port: number;
  /** Path of the database file. */
  database: string;
  env?: Record<string, string> | undefined;
  through?: readonly string[] | undefined;
}

/** Starts the service as a process of its own on an embedded store: no examples, errors only in its log. */
export function startService({ port, database, env, through }: ServiceOptions): Child {
  return startChild({
    args: ["src/main.ts"],
    port,
    env: { PORT: String(port), SIGNALBOX_STORE: `sqlite:${database}`, SIGNALBOX_LOG: "error", ...env },
    readyPath: "/readyz",
    through,
  });
}
