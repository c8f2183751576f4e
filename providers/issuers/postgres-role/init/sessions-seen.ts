import type { Row, Work } from "../admin.ts";

export interface SeenClient extends Row {
  readonly login: string;
  readonly database: string;
  /** `local` for a Unix socket; null where the login that looks may not see it. */
  readonly address: string | null;
  readonly applicationName: string;
  readonly sessions: number;
}

/** Who is in now, by login, database, address and name. Somebody else's address shows to pg_monitor only. */
export async function readClients(work: Work): Promise<readonly SeenClient[]> {
  return work.ask<SeenClient>(
    `SELECT usename::text AS login, datname::text AS database,
       CASE WHEN client_port = -1 THEN 'local' ELSE host(client_addr) END AS address,
       coalesce(application_name, '') AS "applicationName", count(*)::int AS sessions
     FROM pg_stat_activity
     WHERE usename IS NOT NULL AND datname IS NOT NULL AND pid <> pg_backend_pid()
     GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
  );
}

/** Evidence by sessions, filled in with whom the login shows now; none where nobody was seen. */
export function sessionsEvidence(clients: readonly SeenClient[], role: string, database: string) {
  const own = clients.filter((one) => one.login === role && one.database === database);
  const addresses = [...new Set(own.flatMap(({ address }) => address ?? []))];
  if (addresses.length === 0) return {};
  const [applicationName, ...others] = new Set(own.map((one) => one.applicationName));
  const isNamed = applicationName !== undefined && applicationName !== "" && others.length === 0;
  return {
    sessions: {
      database,
      networks: addresses,
      ...(isNamed ? { applicationName } : {}),
      instances: addresses.length,
    },
  };
}
