import { z } from "zod";

/** MCP servers whose tools workflows may use, by name. */
export const McpServers = z.record(
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "must be 1 to 64 letters, digits, _ or -"),
  z.strictObject({
    url: z.url({ protocol: /^https?$/ }),
    /** Texts may hold secret references. */
    headers: z.record(z.string(), z.string()).optional(),
    /** The tools that may be used; all unless told. */
    tools: z.array(z.string().min(1)).optional(),
  }),
);
