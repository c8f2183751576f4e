import { RekeyError } from "../../../domain/errors.ts";
import type { Finding, PreflightRequest } from "../../contract/issuer.ts";
import type { Value } from "../../contract/value.ts";
import type { Work } from "./admin.ts";
import { readRoles, type Role } from "./catalogue.ts";
import { isOverlap, principalsOf, slotsOf } from "./config.ts";
import { assertSettable, remark } from "./effects.ts";
import { placeOf, type Place } from "./handle.ts";
import { withoutMark } from "./mark.ts";
import { membership, grantsSayMore } from "./pair.ts";
import { pairFindings } from "./pair-findings.ts";
import { askLogin } from "./probe.ts";
import { ident, literal } from "./quoting.ts";
import { lostRights } from "./lost-rights.ts";
import { missingRights } from "./rights.ts";
import type { Scope } from "./scope.ts";
import { isForeign, occupied, ownMark } from "./slots.ts";

/** All that would stop a rotation, each with the SQL that mends it. Reads only. */
export async function preflight(
  scope: Scope,
  { live, former, hurries = false }: PreflightRequest,
): Promise<readonly Finding[]> {
  const { config, connection } = scope;
  const principals = principalsOf(config);
  if (principals.includes(connection.user))
    return [
      {
        code: "principal_is_connection",
        detail: `The connection logs in as ${ident(connection.user)}, which is one of the credential's own logins. Give it a login of its own.`,
      },
    ];
  return scope.admin.work("checking before the rotation", async (work) => {
    const roles = await readRoles(work, principals);
    const missing = principals.filter((name) => !roles.has(name));
    const found = [
      ...missing.map((name) => missingRole(name, scope, work.server.version)),
      ...(hurries ? [] : await missingRights(work, scope)),
      ...[...roles.values()]
        .filter((role) => isForeign(role, scope.owner))
        .map((role) => foreignMark(role, isBeside(role.name, scope, live))),
      ...live.flatMap((handle) => liveFindings(handle, roles, scope)),
      ...(await otherEncryption(work)),
      ...(former === undefined ? [] : await formerFindings(work, scope, former)),
    ];
    // The rest would speak of roles that are not there.
    if (missing.length > 0) return found;
    const room = await slotFindings(work, scope, roles, live);
    // Rights are named by the effect that lacks one, and each of them is a question over all that our login administers.
    if (hurries) return [...found, ...room];
    return [
      ...found,
      ...room,
      ...(isOverlap(config) ? await pairFindings(work, scope, config, roles, live) : []),
      ...(await lostRights(work, scope)),
    ];
  });
}

function missingRole(name: string, { config, connection }: Scope, version: number): Finding {
  const isLogin = !isOverlap(config);
  const role = ident(name);
  const admin =
    version < grantsSayMore
      ? []
      : [`GRANT ${role} TO ${ident(connection.user)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;`];
  const member = isOverlap(config) && name !== config.owner ? [membership(name, config.owner, version)] : [];
  return {
    code: "principal_missing",
    detail: `The role ${role} does not exist.`,
    mend: [`CREATE ROLE ${role} ${isLogin ? "LOGIN" : "NOLOGIN"};`, ...member, ...admin].join("\n"),
  };
}

/** The other login of a pair, which a version that is put in the former one's place does not need. */
const isBeside = (name: string, { config }: Scope, live: readonly string[]): boolean =>
  isOverlap(config) && slotsOf(config).includes(name) && !live.some((handle) => placeOf(handle).role === name);

const foreignMark = (role: Role, isOther: boolean): Finding => ({
  ...(isOther ? { endsWithFormer: true } : {}),
  code: "handle_taken",
  detail: `The role ${ident(role.name)} carries the mark of another instance or credential of rekey, or one that cannot be read. If nothing else rotates it, remove the mark.`,
  mend: `COMMENT ON ROLE ${ident(role.name)} IS ${literal(withoutMark(role.comment))};`,
});

/** Below every attempt's. */
const noClaim = { epoch: 0, number: 0 };

/** A comment that somebody wiped is put back; one that names another version may be right, and the ledger an old copy. */
function notThere(role: Role, place: Place, scope: Scope, found: number | undefined): Finding {
  const holds = `The role ${ident(role.name)} does not hold version ${place.version}`;
  if (found !== undefined)
    return { code: "handle_taken", detail: `${holds}: its comment names version ${found}. Find out who changed it.` };
  return {
    code: "handle_taken",
    detail: `${holds} by its comment, from which somebody took our mark. If the login does hold it, put the mark back.`,
    mend: remark(role, place, scope, noClaim),
  };
}

/** What the ledger holds as live against what the server shows. */
function liveFindings(handle: string, roles: ReadonlyMap<string, Role>, scope: Scope): readonly Finding[] {
  const place = placeOf(handle);
  const role = roles.get(place.role);
  if (role === undefined || isForeign(role, scope.owner)) return [];
  const mark = ownMark(role, scope.owner);
  const isAnother = mark === undefined ? place.version !== 1 : mark.version !== 0 && mark.version !== place.version;
  if (isAnother) return [notThere(role, place, scope, mark?.version)];
  if (role.canLogin || mark?.state === "disabled") return [];
  const detail = `The role ${ident(role.name)} of ${handle} may not log in. Somebody else has locked it.`;
  return [{ code: "principal_mismatch", detail, mend: `ALTER ROLE ${ident(role.name)} LOGIN;` }];
}

/**
 * An ended login has no password, and then this setting decides how the server asks for one: by MD5 nothing can be proven.
 * https://www.postgresql.org/docs/18/runtime-config-connection.html#GUC-PASSWORD-ENCRYPTION
 */
export async function otherEncryption(work: Work): Promise<readonly Finding[]> {
  const [row] = await work.ask<{ by: string }>("SELECT current_setting('password_encryption') AS by");
  if (row?.by === "scram-sha-256") return [];
  return [
    {
      code: "transport_unverified",
      detail:
        "The server's password_encryption is not scram-sha-256: it may ask for MD5, which rekey does not answer, so that no version could be proven alive or dead. Set it at the server, and the passwords of today once more.",
      mend: "ALTER SYSTEM SET password_encryption = 'scram-sha-256';\nSELECT pg_reload_conf();",
    },
  ];
}

/** Today's value: an undo has to be able to set it again, and each proof to log in by it. */
async function formerFindings(
  work: Work,
  scope: Scope,
  { handle, value }: { readonly handle: string; readonly value: Value },
): Promise<readonly Finding[]> {
  const place = placeOf(handle);
  try {
    assertSettable(value, place);
  } catch (error) {
    if (!(error instanceof RekeyError)) throw error;
    return [
      { code: error.code, detail: `Version ${place.version} could not be set again by an undo. ${error.detail}` },
    ];
  }
  const { code, why } = await askLogin(scope, value, work.server.identity);
  return why === undefined ? [] : [{ code: "transport_unverified", detail: `${why} (${code})` }];
}

async function slotFindings(
  work: Work,
  scope: Scope,
  roles: ReadonlyMap<string, Role>,
  live: readonly string[],
): Promise<readonly Finding[]> {
  const { config, owner } = scope;
  if (!isOverlap(config)) {
    const role = roles.get(config.login);
    if (role?.expiresSoon !== true) return [];
    const detail = `The password of ${ident(role.name)} expires within a day, and so would the new one.`;
    return [{ code: "principal_mismatch", detail, mend: `ALTER ROLE ${ident(role.name)} VALID UNTIL 'infinity';` }];
  }
  const slots = slotsOf(config).map((name) => ({ name, why: occupied(name, roles.get(name), owner, live) }));
  const free = slots.find(({ why }) => why === undefined);
  if (free !== undefined) return sessionsOn(work, free.name);
  const taken = slots.flatMap(({ why }) => why ?? []);
  const mend = taken.flatMap((each) => each.mend ?? []).join("\n");
  const detail = `${taken.map(({ why }) => why).join("; ")}.`;
  const without = live.slice(0, -1);
  const isRoomThen = slots.some(
    ({ name }) =>
      live.some((handle) => placeOf(handle).role === name) && !without.some((handle) => placeOf(handle).role === name),
  );
  return [
    { code: "no_free_slot", detail, ...(mend === "" ? {} : { mend }), ...(isRoomThen ? { endsWithFormer: true } : {}) },
  ];
}

/** Sessions that outlived the login's last version would pass for the new one's. */
async function sessionsOn(work: Work, slot: string): Promise<readonly Finding[]> {
  const [row] = await work.ask<{ open: number }>(
    "SELECT count(*)::int AS open FROM pg_stat_activity WHERE usename = $1",
    [slot],
  );
  if ((row?.open ?? 0) === 0) return [];
  return [
    {
      code: "still_in_use",
      detail: `The free slot ${ident(slot)} still has open sessions: ${row?.open}. End them first.`,
      mend: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${literal(slot)};`,
    },
  ];
}
