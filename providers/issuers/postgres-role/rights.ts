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
  readonly me: string;
  readonly creates: boolean;
  readonly signals: boolean;
  readonly monitors: boolean;
}

/** What the connection's login may not do and has to, each with its grant. A superuser may everything. */
export async function missingRights(work: Work, scope: Scope): Promise<readonly Finding[]> {
  if (work.server.isSuperuser) return [];
  const [has] = await work.ask<Has>(
    `SELECT current_user::text AS me, rolcreaterole AS creates, pg_has_role('pg_signal_backend', 'USAGE') AS signals,
       pg_has_role('pg_read_all_stats', 'USAGE') AS monitors
     FROM pg_roles WHERE rolname = current_user`,
  );
  if (has === undefined) return [];
  const me = ident(has.me);
  const roles = await readRoles(work, principalsOf(scope.config));
  return [
    ...lacking(has.creates, "change the logins (CREATEROLE)", `ALTER ROLE ${me} CREATEROLE;`),
    ...lacking(has.signals, "end the sessions of others (pg_signal_backend)", `GRANT pg_signal_backend TO ${me};`),
    ...lacking(has.monitors, "see the sessions of others (pg_monitor)", `GRANT pg_monitor TO ${me};`),
    ...(work.server.version >= grantsSayMore
      ? await missingAdminOptions(work, [...roles.keys()], me)
      : [...roles.values()].filter(({ replicates }) => replicates).map(replicationNeedsSuperuser)),
    ...[...roles.values()].filter(({ isSuperuser }) => isSuperuser).map(superuserNeedsSuperuser),
  ];
}

function lacking(has: boolean, what: string, mend: string): readonly Finding[] {
  return has ? [] : [{ code: "right_missing", detail: `The connection's login may not ${what}.`, mend }];
}

/** 16+: CREATEROLE alone changes no role that somebody else made. */
async function missingAdminOptions(work: Work, names: readonly string[], me: string): Promise<readonly Finding[]> {
  const rows = await work.ask<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) AS name WHERE NOT pg_has_role(name::name, 'MEMBER WITH ADMIN OPTION')`,
    [[...names]],
  );
  return rows.map(({ name }) => ({
    code: "right_missing",
    detail: `The connection's login lacks the ADMIN option on ${ident(name)}.`,
    mend: `GRANT ${ident(name)} TO ${me} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;`,
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
