import { OperatorNeededError, type RekeyError } from "../../../../domain/errors.ts";
import { printable } from "../../../../domain/printable.ts";
import type { ConnectionConfig } from "../config.ts";
import { loginError } from "../failure.ts";
import type { LoginFailure } from "../login.ts";

/** What a failed login means where it was typed for one look, and no connection is registered that could be mended. */
export function lookError(failure: LoginFailure, connection: ConnectionConfig): RekeyError {
  const where = `${printable(connection.host, 100)}:${connection.port}`;
  switch (failure.code) {
    case "28P01":
      return new OperatorNeededError(
        "issuer_auth_failed",
        `${where} refuses the password that was typed for ${printable(connection.user)}. Run the command again and type it once more; another login to look with is named by --username.`,
      );
    case "3D000":
      return new OperatorNeededError(
        "issuer_auth_failed",
        `${where} has no database "${printable(connection.database)}". Name the one that the application works in, with --database.`,
      );
    case "unreachable":
    case "timed_out":
      return new OperatorNeededError(
        "issuer_unreachable",
        `Nothing answered at ${where}. Give the address that the server has as seen from here, with --host and --port (5432 without it), and check that it runs.`,
      );
    default:
      return loginError(failure, connection);
  }
}
