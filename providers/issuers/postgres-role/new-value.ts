import { randomBytes } from "node:crypto";
import { Secret } from "../../contract/secret.ts";
import { revealField, type Value } from "../../contract/value.ts";
import { isSocket, type ConnectionConfig, type CredentialConfig } from "./config.ts";

/** A value for a login: 256 random bits as password, and the address that consumers connect to. */
export function newValue(connection: ConnectionConfig, config: CredentialConfig, role: string): Value {
  return valueWith(connection, config, role, randomBytes(32).toString("base64url"));
}

/** The value that a person made, of which they know the login and its password. */
export function completeValue(connection: ConnectionConfig, config: CredentialConfig, given: Value): Value {
  return valueWith(connection, config, revealField(given, "username"), revealField(given, "password"));
}

function valueWith(connection: ConnectionConfig, config: CredentialConfig, role: string, password: string): Value {
  const host = config.host ?? connection.host;
  const port = String(config.port ?? connection.port);
  return {
    username: role,
    password: new Secret(password),
    host,
    port,
    database: config.database,
    url: new Secret(urlFor({ role, password, host, port, database: config.database })),
  };
}

/** https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNSTRING-URIS */
function urlFor(of: { role: string; password: string; host: string; port: string; database: string }): string {
  const login = `${encodeURIComponent(of.role)}:${encodeURIComponent(of.password)}`;
  const database = encodeURIComponent(of.database);
  if (isSocket(of.host))
    return `postgresql://${login}@/${database}?host=${encodeURIComponent(of.host)}&port=${of.port}`;
  const host = of.host.includes(":") ? `[${of.host}]` : of.host;
  return `postgresql://${login}@${host}:${of.port}/${database}`;
}
