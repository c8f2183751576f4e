import { randomBytes } from "node:crypto";
import { PermanentError, RekeyError } from "../../../domain/errors.ts";
import type { ProbeAnswer, ProbeRequest } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField, type Value } from "../../contract/value.ts";
import { identityOf } from "./admin.ts";
import { readRoles, type Role } from "./catalogue.ts";
import { isOverlap, principalsOf } from "./config.ts";
import { assertSettable, placeIn, remark } from "./effects.ts";
import type { Place } from "./handle.ts";
import { logIn, LoginFailure, type LoggedIn, type Login } from "./login.ts";
import { ident } from "./quoting.ts";
import { isPair, type Scope } from "./scope.ts";
import { ownMark } from "./slots.ts";

/** Wrong password, no such role, or a role without a password: only this can mean that a version is ended. */
export const refusedBySecret = "28P01";

/** One login as it was answered. `code`: a SQLSTATE, a word of `LoginFailure`, or one of the words below. */
interface Answer {
  readonly code: "accepted" | "not_challenged" | "other_server" | "in_recovery" | (string & {});
  readonly challenged: boolean;
  /** As whom the session works. */
  readonly works?: string;
}

interface Round {
  readonly controls: { readonly control: string; readonly answer: string }[];
  readonly roles: ReadonlyMap<string, Role>;
  readonly identity: string;
}

/**
 * Logs in by a version's value and says what that proves. Accepted: the server proved that it knows the verifier, and a
 * random wrong password is refused on the same path. Refused: by 28P01 after the SCRAM challenge, while a live login is
 * accepted on the same path by the same server, and the catalogue shows why. All else is unknown, and says why.
 */
export async function probeVersion(scope: Scope, request: ProbeRequest): Promise<ProbeAnswer> {
  const place = placeIn(scope, request.handle);
  const login = loginOf(scope, request.value);
  assertSettable(request.value, place);
  const controls: Round["controls"] = [];
  const unknown = (code: string): ProbeAnswer => ({ verdict: "unknown", code, controls, ...whyUnknown(code, place) });
  // Asked first, so that the order of questions is the same whatever the answer.
  const server = await unlessDown(scope.admin.work("reading the server's identity", async (work) => work.server));
  if (server === undefined) return unknown("catalogue_unread");
  const answer = await tryLogin(scope, login, server.identity);
  const isRefused = answer.code === refusedBySecret && answer.challenged;
  if (answer.code !== "accepted" && !isRefused)
    return unknown(answer.code === refusedBySecret ? "not_challenged" : answer.code);
  // After the login: what the catalogue showed before could be from before the change that is asked about.
  const roles = await unlessDown(
    scope.admin.work("reading the logins", (work) => readRoles(work, principalsOf(scope.config))),
  );
  if (roles === undefined) return unknown("catalogue_unread");
  const round: Round = { controls, roles, identity: server.identity };
  return isRefused ? refused(scope, request, place, round) : accepted(scope, answer, place, round);
}

async function accepted(scope: Scope, answer: Answer, place: Place, round: Round): Promise<ProbeAnswer> {
  const { controls } = round;
  const wrong = await tryLogin(scope, wrongLogin(scope, place, round.roles), round.identity);
  const isRefused = wrong.code === refusedBySecret && wrong.challenged;
  controls.push({ control: "a random wrong password", answer: wrong.code });
  if (!isRefused) return { verdict: "unknown", code: "wrong_password_not_refused", controls };
  if (isOverlap(scope.config)) {
    controls.push({
      control: "the session works as the owner role",
      answer: String(answer.works === scope.config.owner),
    });
    if (answer.works !== scope.config.owner) return { verdict: "unknown", code: "not_as_owner", controls };
  }
  if (isUnverified(scope)) controls.push({ control: "transport", answer: "unverified" });
  return { verdict: "accepted", code: "accepted", controls };
}

async function refused(scope: Scope, request: ProbeRequest, place: Place, round: Round): Promise<ProbeAnswer> {
  const { controls } = round;
  const unknown = (code: string): ProbeAnswer => ({ verdict: "unknown", code, controls, ...whyUnknown(code, place) });
  const isLive = request.control !== undefined;
  const login = request.control === undefined ? ownLogin(scope) : loginOf(scope, request.control);
  const control = await tryLogin(scope, login, round.identity);
  controls.push({ control: isLive ? "the newest live version" : "the connection's own login", answer: control.code });
  if (control.code !== "accepted") return unknown("control_not_accepted");
  const catalogue = catalogueSays(scope, place, round.roles.get(place.role));
  controls.push({ control: "the catalogue", answer: catalogue });
  const role = round.roles.get(place.role);
  if (catalogue === "unmarked" && role?.canLogin === false)
    return { ...unknown("catalogue_unmarked"), why: endedByWhom(scope, place, role) };
  if (catalogue === "live" || catalogue === "unmarked" || catalogue === "missing")
    return { ...unknown(`catalogue_${catalogue}`), saysNo: true };
  // Whoever sits between can refuse in the server's name; accepting needs the verifier.
  if (isUnverified(scope)) return unknown("transport_unverified");
  return { verdict: "refused", code: refusedBySecret, controls };
}

type CatalogueWord = "ended" | "replaced" | "live" | "unmarked" | "missing";

/** Whether what the role is shows, in our own words, that this version cannot log in any more. */
function catalogueSays(scope: Scope, place: Place, role: Role | undefined): CatalogueWord {
  if (role === undefined) return "missing";
  const mark = ownMark(role, scope.owner);
  if (mark === undefined) return "unmarked";
  if (mark.version === place.version) return mark.state === "ended" && !role.canLogin ? "ended" : "live";
  // The abandoned candidate of a single slot was replaced by the former version.
  return mark.version > place.version || !isPair(scope) ? "replaced" : "live";
}

/** What an operator does about it, where the code alone does not say so. */
function whyUnknown(code: string, { role }: Place): { readonly why?: string } {
  const why = reasons[code]?.(ident(role));
  return why === undefined ? {} : { why };
}

const reasons: Readonly<Record<string, (role: string) => string>> = {
  "28000": (role) =>
    `No rule of pg_hba.conf lets ${role} in from here, or one rejects it: it needs the same lines as the login that consumers have now. Add them, then SELECT pg_reload_conf();`,
  "53300": (role) =>
    `${role}, its database or the server has as many sessions as it may have. Raise the limit (ALTER ROLE ${role} CONNECTION LIMIT n), or close some.`,
  md5_requested: (role) =>
    `The server asks ${role} for MD5, which rekey does not answer: its stored password, or password_encryption, is of MD5. Run ALTER SYSTEM SET password_encryption = 'scram-sha-256'; SELECT pg_reload_conf(); then set the login's password once more, and use scram-sha-256 in pg_hba.conf.`,
  clear_text_requested: (role) =>
    `The server asks ${role} for the clear text of its password, which rekey does not give. Use scram-sha-256 in pg_hba.conf.`,
  catalogue_live: (role) =>
    `The role ${role} holds this version by its comment and may log in, and yet its password is another: somebody changed it.`,
  catalogue_unmarked: (role) =>
    `The server refuses this password for ${role}, which carries no mark of ours: a person gave it another password, or changed its comment.`,
};

/** What is left of an ended version after its comment was wiped: a person can say that it is that one. */
function endedByWhom(scope: Scope, place: Place, role: Role): string {
  const statement = remark(role, place, scope, { epoch: 0, number: 0 }, { state: "ended" });
  return `The role ${ident(role.name)} may not log in and carries no mark of ours: somebody changed its comment. If this rotation ended it, put the mark back, then retry:\n${statement}\n`;
}

/** One login without controls, for what a preflight can tell from it. */
export async function askLogin(
  scope: Scope,
  value: Value,
  identity: string,
): Promise<{ readonly code: string; readonly why?: string }> {
  const login = loginOf(scope, value);
  const { code } = await tryLogin(scope, login, identity);
  const isByWay = code === "md5_requested" || code === "clear_text_requested";
  return { code, ...(isByWay ? whyUnknown(code, { role: login.user, version: 0 }) : {}) };
}

/** A random password for a login that nobody uses, where there is one: a lock-out must not hit one in use. */
function wrongLogin(scope: Scope, place: Place, roles: ReadonlyMap<string, Role>): Login {
  const idle = principalsOf(scope.config).find((name) => roles.get(name)?.canLogin === false);
  const password = new Secret(randomBytes(32).toString("base64url"));
  return { user: idle ?? place.role, password, database: scope.config.database };
}

const ownLogin = ({ connection, adminPassword, config }: Scope): Login => ({
  user: connection.user,
  password: adminPassword,
  database: config.database,
});

function loginOf({ config }: Scope, value: Value): Login {
  const user = revealField(value, "username");
  const password = value["password"];
  if (!principalsOf(config).includes(user) || !(password instanceof Secret))
    throw new PermanentError("value_unfit", "The value's user name is none of this credential's logins.");
  return { user, password, database: config.database };
}

const isUnverified = ({ connection }: Scope): boolean => connection.tls?.unverified === true;

async function tryLogin(scope: Scope, login: Login, identity: string): Promise<Answer> {
  const { connection } = scope;
  let session: LoggedIn;
  try {
    session = await logIn(connection, login, scope);
  } catch (error) {
    if (!(error instanceof LoginFailure)) throw error;
    return { code: error.code, challenged: error.challenged };
  }
  const { challenged } = session;
  try {
    // Whoever lets us in without a challenge lets anybody in.
    if (!challenged) return { code: "not_challenged", challenged };
    const { rows } = await session.client.query<{ works: string; id: string; recovery: boolean }>(
      `SELECT current_user::text AS works, system_identifier::text AS id, pg_is_in_recovery() AS recovery
       FROM pg_control_system()`,
    );
    const [row] = rows;
    if (row === undefined || identityOf(row.id, connection) !== identity) return { code: "other_server", challenged };
    return row.recovery ? { code: "in_recovery", challenged } : { code: "accepted", challenged, works: row.works };
  } catch {
    return { code: "identity_unread", challenged };
  } finally {
    await session.close();
  }
}

/** Undefined where the admin login finds nobody or too many there; what a person has to mend is thrown. */
async function unlessDown<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RekeyError && error.code === "issuer_unreachable") return undefined;
    throw error;
  }
}
