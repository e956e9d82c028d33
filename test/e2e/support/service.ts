import { startChild, type Child } from "./child.ts";

export interface ServiceOptions {
  port: number;
  /** Path of the database file. */
  database: string;
  env?: Record<string, string> | undefined;
  through?: readonly string[] | undefined;
  logFile?: string | undefined;
}

/** Starts the service as a process of its own on an embedded store: no examples, errors only in its log. */
export function startService({ database, ...options }: ServiceOptions): Child {
  return startServiceOn({ ...options, store: `sqlite:${database}` });
}

interface ServiceOnOptions extends Omit<ServiceOptions, "database"> {
  /** What SIGNALBOX_STORE says. */
  store: string;
  /** A module that is loaded before the service. */
  preload?: string | undefined;
}

/** The same on any store. */
export function startServiceOn({ port, store, env, through, logFile, preload }: ServiceOnOptions): Child {
  return startChild({
    args: [...(preload === undefined ? [] : ["--import", preload]), "src/main.ts"],
    port,
    env: { PORT: String(port), SIGNALBOX_STORE: store, SIGNALBOX_LOG: "error", ...env },
    readyPath: "/readyz",
    through,
    logFile,
  });
}
