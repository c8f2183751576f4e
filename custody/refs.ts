import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { OperatorNeededError } from "../domain/errors.ts";
import type { CustodyRef } from "./custody.ts";

/** What of a row of `connections` leads to its secret, named as the ledger's columns are. */
export interface ConnectionSecretRow {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly settings: unknown;
  readonly pool: string;
  /** Id of the value's row; null while the secret has to be given (again). */
  readonly secret_row: string | null;
  /** Rises with each secret that is given, so that no two share a place. */
  readonly secret_revision: number;
}

/** Digest (hex) of everything that decides where a connection's secret is sent and as whom. */
export function connectionBinding(kind: string, settings: unknown): string {
  return createHash("sha256")
    .update(canonicalize({ kind, settings }) ?? "")
    .digest("hex");
}

/**
 * Where a connection's own secret lies. The binding is computed from the settings as they are now, not read from the
 * row: whoever edits the address behind our back cannot have the secret opened for it.
 * @throws {OperatorNeededError} `custody_missing` while the secret has to be given.
 */
export function connectionSecretRef(row: ConnectionSecretRow, instance: string): CustodyRef {
  if (row.secret_row === null)
    throw new OperatorNeededError(
      "custody_missing",
      `Connection ${row.name} has no secret. Apply its manifest again with \`secretFrom\`.`,
    );
  return {
    instance,
    credential: row.id,
    version: row.secret_revision,
    row: row.secret_row,
    purpose: "connection",
    pool: row.pool,
    binding: connectionBinding(row.kind, row.settings),
  };
}

export interface VersionPlace {
  readonly instance: string;
  readonly credentialId: string;
  /** The version's number at its credential. */
  readonly number: number;
  readonly versionId: string;
  /** The connection's pool. */
  readonly pool: string;
}

/** Where the value of a credential's version lies. */
export function versionRef({ instance, credentialId, number, versionId, pool }: VersionPlace): CustodyRef {
  return { instance, credential: credentialId, version: number, row: versionId, purpose: "version", pool };
}

/** Where a secret lies that was given for one check alone. */
export function checkSecretRef(
  check: { readonly checkId: string; readonly pool: string },
  instance: string,
): CustodyRef {
  const { checkId, pool } = check;
  return { instance, credential: checkId, version: 1, row: checkId, purpose: "check", pool };
}
