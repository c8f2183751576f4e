import type { IssuerOpening, IssuerSession } from "../../contract/issuer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { PermanentError } from "../../../domain/errors.ts";
import { Secret } from "../../contract/secret.ts";
import { openAdmin } from "./admin.ts";
import type { ConnectionConfig, CredentialConfig } from "./config.ts";
import { abandonVersion, disableVersion, enableVersion, revokeVersion } from "./end-version.ts";
import { chooseVersion, issueVersion } from "./issue-version.ts";
import { listVersions } from "./list-versions.ts";
import { preflight } from "./preflight.ts";
import { probeVersion } from "./probe.ts";
import { isPair, type Scope } from "./scope.ts";
import { endSessions, readUsage, watchUsage } from "./sessions.ts";

/** Nothing is sent before the first call, so that a probe of a server that is down is an answer, not a failure. */
export function openSession(
  { connection, admin, config, instance, credential }: IssuerOpening<ConnectionConfig, CredentialConfig>,
  { signal, spend }: ProviderContext,
): Promise<IssuerSession> {
  const adminPassword = admin["password"];
  if (!(adminPassword instanceof Secret))
    throw new PermanentError("value_unfit", "The connection has no password. Store it with the connection.");
  const way = spend === undefined ? { signal } : { signal, spend };
  const scope: Scope = {
    connection,
    config,
    owner: { instance, credential },
    admin: openAdmin(connection, adminPassword, way),
    adminPassword,
    ...way,
  };
  return Promise.resolve({
    identify: () => scope.admin.work("reading the server's identity", async ({ server }) => server.identity),
    preflight: (request) => preflight(scope, request),
    choose: (request) => chooseVersion(scope, request),
    issue: (request) => issueVersion(scope, request),
    abandon: (request) => abandonVersion(scope, request),
    probe: (request) => probeVersion(scope, request),
    list: () => listVersions(scope),
    revoke: (request) => revokeVersion(scope, request),
    usage: (handles) => readUsage(scope, handles),
    watch: (handles, span) => watchUsage(scope, handles, span),
    endSessions: (request) => endSessions(scope, request),
    close: () => scope.admin.close(),
    // In a single slot there is nothing to go back to while the login is disabled.
    ...(isPair(scope)
      ? {
          disable: (request) => disableVersion(scope, request),
          enable: (request) => enableVersion(scope, request),
        }
      : {}),
  } satisfies IssuerSession);
}
