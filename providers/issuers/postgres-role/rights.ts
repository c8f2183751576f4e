import { OperatorNeededError } from "../../../domain/errors.ts";
import type { Finding } from "../../contract/issuer.ts";
import type { Work } from "./admin.ts";
import { readRoles, type Role } from "./catalogue.ts";
import { principalsOf } from "./config.ts";
import { sqlStateOf } from "./failure.ts";
import { grantsSayMore } from "./pair.ts";
import { ident } from "./quoting.ts";
import type { Scope } from "./scope.ts";

interface Has extends Readonly<Record<string, unknown>> {
  readonly creates: boolean;
  readonly signals: boolean;
  readonly monitors: boolean;
}

/** What the connection's login may not do and has to, each with its grant. A superuser may everything. */
export async function missingRights(work: Work, scope: Scope): Promise<readonly Finding[]> {
  if (work.server.isSuperuser) return [];
  const [me] = await work.ask<{ name: string }>("SELECT current_user::text AS name");
  if (me === undefined) return [];
  const roles = await readRoles(work, principalsOf(scope.config));
  return [
    ...(await rightsLackedBy(work, { name: me.name, exists: true }, [...roles.keys()])),
    ...[...roles.values()].flatMap((role) => roleBeyondUs(work, role)),
  ];
}

/** What a login may not do to these roles and has to. One that does not exist yet lacks all of it. */
export async function rightsLackedBy(
  work: Work,
  who: { readonly name: string; readonly exists: boolean },
  principals: readonly string[],
): Promise<readonly Finding[]> {
  const me = ident(who.name);
  const [has] = who.exists
    ? await work.ask<Has>(
        `SELECT rolcreaterole AS creates, pg_has_role($1::name, 'pg_signal_backend', 'USAGE') AS signals,
           pg_has_role($1::name, 'pg_read_all_stats', 'USAGE') AS monitors
         FROM pg_roles WHERE rolname = $1::name`,
        [who.name],
      )
    : [];
  return [
    ...lacking(has?.creates, "change the logins (CREATEROLE)", `ALTER ROLE ${me} CREATEROLE;`),
    ...lacking(has?.signals, "end the sessions of others (pg_signal_backend)", `GRANT pg_signal_backend TO ${me};`),
    ...lacking(has?.monitors, "see the sessions of others (pg_monitor)", `GRANT pg_monitor TO ${me};`),
    ...(work.server.version >= grantsSayMore ? await missingAdminOptions(work, who, principals) : []),
  ];
}

/** What no grant to our login mends: the role itself is beyond it. */
export const roleBeyondUs = (work: Work, role: Role): readonly Finding[] => [
  ...(work.server.version < grantsSayMore && role.replicates ? [replicationNeedsSuperuser(role)] : []),
  ...(role.isSuperuser ? [superuserNeedsSuperuser(role)] : []),
];

function lacking(has: boolean | undefined, what: string, mend: string): readonly Finding[] {
  return has === true ? [] : [{ code: "right_missing", detail: `The connection's login may not ${what}.`, mend }];
}

/** 16+: CREATEROLE alone changes no role that somebody else made. */
async function missingAdminOptions(
  work: Work,
  who: { readonly name: string; readonly exists: boolean },
  principals: readonly string[],
): Promise<readonly Finding[]> {
  const has = who.exists
    ? await work.ask<{ name: string }>(
        "SELECT rolname::text AS name FROM pg_roles WHERE rolname = ANY($1::text[]) AND pg_has_role($2::name, oid, 'MEMBER WITH ADMIN OPTION')",
        [[...principals], who.name],
      )
    : [];
  const lacked = principals.filter((principal) => !has.some(({ name }) => name === principal));
  return lacked.map((name) => ({
    code: "right_missing",
    detail: `The connection's login lacks the ADMIN option on ${ident(name)}.`,
    mend: `GRANT ${ident(name)} TO ${ident(who.name)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;`,
  }));
}

const replicationNeedsSuperuser = ({ name }: Role): Finding => ({
  code: "right_missing",
  detail: `Before PostgreSQL 16 only a superuser changes a role with REPLICATION, as ${ident(name)} has.`,
  mend: `ALTER ROLE ${ident(name)} NOREPLICATION;`,
});

const superuserNeedsSuperuser = ({ name }: Role): Finding => ({
  code: "right_missing",
  detail: `Only a superuser changes a superuser, as ${ident(name)} is.`,
  mend: `ALTER ROLE ${ident(name)} NOSUPERUSER;`,
});

/** Runs an effect; where the server says that a right is missing, says which one, and the grant that gives it. */
async function namingRights<T>(work: Work, scope: Scope, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (sqlStateOf(error) !== "42501") throw error;
    const [first] = await missingRights(work, scope);
    if (first === undefined) throw error;
    throw new OperatorNeededError("right_missing", `${first.detail} Run: ${first.mend ?? ""}`);
  }
}

/** One effect on the admin client. */
export function effect<T>(scope: Scope, doing: string, body: (work: Work) => Promise<T>): Promise<T> {
  return scope.admin.work(doing, (work) => namingRights(work, scope, () => body(work)));
}
