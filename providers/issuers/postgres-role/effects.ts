import type { Claim } from "../../../domain/claim.ts";
import { PermanentError } from "../../../domain/errors.ts";
import { Secret } from "../../contract/secret.ts";
import { assertFit, type Value } from "../../contract/value.ts";
import type { Work } from "./admin.ts";
import type { Role } from "./catalogue.ts";
import { fields, principalsOf } from "./config.ts";
import { placeOf, type Place } from "./handle.ts";
import { assertTurn, withoutMark, writeComment, type Mark } from "./mark.ts";
import { ident, literal } from "./quoting.ts";
import type { Scope } from "./scope.ts";
import { prepared, scramVerifier } from "./scram-verifier.ts";
import { isForeign, ownMark } from "./slots.ts";

/** The place that a handle names, in this credential only, and never the connection's own login. */
export function placeIn({ config, connection }: Scope, handle: string): Place {
  const place = placeOf(handle);
  if (place.role === connection.user)
    throw new PermanentError(
      "principal_is_connection",
      "The handle names the connection's own login. Give the connection a login of its own.",
    );
  if (!principalsOf(config).includes(place.role))
    throw new PermanentError("handle_taken", "The handle names a login that is none of this credential's.");
  return place;
}

/**
 * The version in the role against the version that a call names: `there`; `former` (an older one is there); `later` (it
 * was replaced). Throws when the role is not ours or the call lost its turn.
 */
export function standing(role: Role, place: Place, scope: Scope, claim: Claim): "there" | "former" | "later" {
  const mark = ownMark(role, scope.owner);
  if (mark === undefined) {
    if (isForeign(role, scope.owner))
      throw new PermanentError(
        "handle_taken",
        `The role ${ident(role.name)} carries the mark of another instance or credential, or one that cannot be read. Nothing was done. If nothing else rotates it, put its mark back, then retry:\n${remark(role, place, scope, claim)}`,
      );
    // Nothing of ours was ever here: a version that a person made, and that the ledger adopted as the first.
    if (place.version === 1) return "there";
    throw new PermanentError(
      "handle_taken",
      `The role ${ident(role.name)} carries no mark of ours any more: somebody changed its comment. Nothing was done. If the login still holds version ${place.version}, put its mark back, then retry:\n${remark(role, place, scope, claim)}`,
    );
  }
  assertTurn(mark, claim);
  if (mark.version === place.version || (mark.version === 0 && place.version === 1)) return "there";
  return mark.version < place.version ? "former" : "later";
}

/**
 * The statement by which a person gives a role its mark back. The ledger knows which version is there; when it was put
 * there nobody does any more, so that all sessions count as its own.
 */
export function remark(
  role: Role,
  { version }: Place,
  { owner }: Scope,
  claim: Claim,
  {
    operationKey = "",
    state = role.canLogin ? "live" : "disabled",
  }: Partial<Pick<Mark, "operationKey" | "state">> = {},
): string {
  const mark: Mark = { ...owner, version, operationKey, claim, state, at: new Date(0).toISOString() };
  const comment = { ...role.comment, before: withoutMark(role.comment), after: "", mark: undefined };
  return `COMMENT ON ROLE ${ident(role.name)} IS ${literal(writeComment(comment, mark))};`;
}

/** The statement that records whose turn made the role what it is. */
export function marking(role: Role, scope: Scope, part: Partial<Mark> & Pick<Mark, "version" | "state" | "claim">) {
  const former = ownMark(role, scope.owner);
  const mark: Mark = {
    ...scope.owner,
    operationKey: former?.operationKey ?? "",
    at: former?.at ?? new Date(0).toISOString(),
    ...part,
  };
  return `COMMENT ON ROLE ${ident(role.name)} IS ${literal(writeComment(role.comment, mark))};`;
}

/** Refuses a value that could not be set at the server, or set again by an undo. */
export function assertSettable(value: Value, place: Place): Secret<string> {
  assertFit(value, fields);
  const { username, password } = value;
  if (username !== place.role || !(password instanceof Secret))
    throw new PermanentError("value_unfit", "The value was made for another login than the handle names.");
  prepared(password);
  return password;
}

/** The option of ALTER ROLE that sets a value's password, by a verifier that we computed. */
export async function passwordOption(value: Value, place: Place): Promise<string> {
  return `PASSWORD ${literal(await scramVerifier(assertSettable(value, place)))}`;
}

/** Server's clock, rounded up to a millisecond: whatever began before the last commit has an earlier time. */
export async function clockAfter(work: Work): Promise<string> {
  const [row] = await work.ask<{ ms: number }>(
    "SELECT ceil(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms",
  );
  return new Date(row?.ms ?? 0).toISOString();
}
