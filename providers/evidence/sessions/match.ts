import { z } from "zod";
import type { SeenSession } from "../../contract/issuer.ts";
import { isNetwork, networksContain } from "../../contract/networks.ts";

/** How the issuer reports a client on its own machine that came by a Unix socket. */
const local = "local";

export const sessionsConfigSchema = z.strictObject({
  database: z.string().min(1).max(63).describe("Database the consumer connects to"),
  networks: z
    .array(
      z
        .string()
        .refine(
          (text) => text === local || isNetwork(text),
          'must be a network such as 10.1.0.0/16, an address, or "local"',
        ),
    )
    .min(1)
    .max(64)
    .describe('Where its connections come from, as the issuer sees it; "local" for a Unix socket'),
  applicationName: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe("Only narrows the match: it can reveal a stranger and never excuse one"),
  instances: z
    .int()
    .min(1)
    .max(10_000)
    .default(1)
    .describe("How many instances run; each is known by its own client address"),
});

export type SessionsConfig = z.infer<typeof sessionsConfigSchema>;

/** Whether a session can be this consumer's: database and network, and the application's name where one is registered. */
export function matchesSession(config: SessionsConfig, session: SeenSession): boolean {
  if (session.database !== config.database) return false;
  if (config.applicationName !== undefined && session.applicationName !== config.applicationName) return false;
  if (session.address === local) return config.networks.includes(local);
  return networksContain(config.networks)(session.address);
}

/** What to register for whoever this session is of, and for nobody else. */
export const matchOf = ({ database, address, applicationName }: SeenSession): SessionsConfig => ({
  ...{ database, networks: [address] },
  ...(applicationName === "" ? {} : { applicationName }),
  instances: 1,
});

/** The sessions that no registered consumer explains. With no consumer, each is one. */
export function strangersAmong(
  sessions: readonly SeenSession[],
  configs: readonly SessionsConfig[],
): readonly SeenSession[] {
  return sessions.filter((session) => !configs.some((config) => matchesSession(config, session)));
}
