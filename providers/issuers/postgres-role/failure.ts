import pg from "pg";
import { OperatorNeededError, PermanentError, RekeyError, TransientError } from "../../../domain/errors.ts";
import { printable } from "../../../domain/printable.ts";
import type { ConnectionConfig } from "./config.ts";
import { LoginFailure } from "./login.ts";

// Codes: https://www.postgresql.org/docs/18/errcodes-appendix.html. The server's own text is never handed on: it may
// quote the statement.

/** What the admin login's failure means for an operator. */
export function loginError({ code }: LoginFailure, connection: ConnectionConfig): RekeyError {
  const where = `${printable(connection.host, 100)}:${connection.port}`;
  const user = printable(connection.user);
  switch (code) {
    case "28P01":
      return new OperatorNeededError(
        "issuer_auth_failed",
        `The server refuses the password of ${user}. Put the right one into the file that the connection's manifest names in secretFrom, then run \`rekey apply -f\` with that manifest again.`,
      );
    case "28000":
      return new OperatorNeededError(
        "issuer_auth_failed",
        `The server lets ${user} in by no rule (pg_hba.conf), or the role may not log in. Correct that at the server.`,
      );
    // Our start parameters are refused: https://www.pgbouncer.org/config.html#ignore_startup_parameters
    case "08P01":
      return new OperatorNeededError("issuer_unreachable", poolerAt(connection));
    case "3D000":
      return new OperatorNeededError(
        "issuer_auth_failed",
        `The connection's database "${printable(connection.database)}" does not exist. Name one that does.`,
      );
    case "42501":
      return new OperatorNeededError(
        "right_missing",
        `${user} may not connect to the database "${printable(connection.database)}". Grant it CONNECT there.`,
      );
    case "clear_text_requested":
    case "md5_requested":
      return new OperatorNeededError(
        "transport_unverified",
        `The server asked for ${code === "md5_requested" ? "an MD5 hash" : "the clear text"} of ${user}'s password and got no answer. Use scram-sha-256 in pg_hba.conf and set the password again.`,
      );
    case "tls_unverified":
      return new OperatorNeededError(
        "transport_unverified",
        `The certificate of ${where} is not trusted for that name. Give its authority in tls.ca, or its name in tls.serverName.`,
      );
    case "tls_refused":
      return new OperatorNeededError(
        "transport_unverified",
        `${where} offers no TLS, or the name leads off this machine. Turn TLS on at the server.`,
      );
    case "server_unproven":
      return new OperatorNeededError(
        "transport_unverified",
        `${where} could not show that it knows the password's verifier: it is not the server that it should be. Check the address.`,
      );
    case "method_unsupported":
      return new OperatorNeededError(
        "issuer_auth_failed",
        `The server asks ${user} for something else than SCRAM-SHA-256. Use scram-sha-256 in pg_hba.conf.`,
      );
    case "cancelled":
      return cancelled();
    default:
      return new TransientError(
        "issuer_unreachable",
        `${where} did not let us in (${printable(code)}). Check that the server runs, is reached from here and has connections left.`,
      );
  }
}

export const poolerAt = ({ host, port }: ConnectionConfig): string =>
  `${printable(host, 100)}:${port} is answered by a pooler such as PgBouncer, not by PostgreSQL itself. Give the server's own address. Where consumers come through the pooler, say so in the credential's host and port; the pooler is a consumer itself where it keeps passwords of its own.`;

export const cancelled = (): TransientError =>
  new TransientError("issuer_unreachable", "The call was cancelled before the server answered. It is tried again.");

export const sqlStateOf = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError ? error.code : undefined;

const passing = /^(?:08|40|53|57)/;

/** What a failed statement means. `doing` says what was tried, in the words of an operator. 42501 is told apart before. */
export function statementError(error: unknown, doing: string): RekeyError {
  if (error instanceof RekeyError) return error;
  const code = sqlStateOf(error);
  if (code === undefined)
    return new TransientError("issuer_unreachable", `The server was lost while ${doing}. It is tried again.`);
  if (code === "55P03")
    return new TransientError(
      "issuer_unreachable",
      `Another session holds the role while ${doing}. It is tried again.`,
    );
  if (code === "25006")
    return new OperatorNeededError(
      "issuer_in_recovery",
      `The server takes no changes while ${doing}. Point the connection at the primary.`,
    );
  if (code === "42501")
    return new OperatorNeededError(
      "right_missing",
      `The connection's login lacks a right while ${doing}. It needs CREATEROLE, pg_signal_backend, pg_monitor, and from PostgreSQL 16 on the ADMIN option on each login and on the owner role.`,
    );
  if (passing.test(code) || code === "XX000")
    return new TransientError(
      "issuer_unreachable",
      `The server could not finish ${doing} (SQLSTATE ${code}). It is tried again.`,
    );
  return new PermanentError("internal", `The server answered ${doing} with SQLSTATE ${code}. Look into its log.`);
}
