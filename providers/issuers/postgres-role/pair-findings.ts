import type { Finding } from "../../contract/issuer.ts";
import type { Work } from "./admin.ts";
import type { Role } from "./catalogue.ts";
import type { OverlapConfig } from "./config.ts";
import { placeOf } from "./handle.ts";
import { modelFor } from "./issue-version.ts";
import {
  actAsOwner,
  attributeChanges,
  grantsSayMore,
  settingChanges,
  settingStatement,
  worksAsOwner,
  type SettingChange,
} from "./pair.ts";
import { ident } from "./quoting.ts";
import type { Scope } from "./scope.ts";
import { occupied } from "./slots.ts";

/** What keeps two logins from being one to the application: what they own, and what makes them differ. */
export async function pairFindings(
  work: Work,
  scope: Scope,
  config: OverlapConfig,
  roles: ReadonlyMap<string, Role>,
  live: readonly string[],
): Promise<readonly Finding[]> {
  const owner = roles.get(config.owner);
  const lived = live.map((handle) => roles.get(placeOf(handle).role)).filter((role) => role !== undefined);
  const slot = config.logins
    .map((name) => roles.get(name))
    .find((role) => role !== undefined && occupied(role.name, role, scope.owner, live) === undefined);
  const model = await modelFor(work, config, live);
  return [
    ...(await ownedObjects(work, config)),
    ...lived.filter((role) => config.logins.includes(role.name)).flatMap((role) => notAsOwner(role, config)),
    ...(owner?.isSuperuser === true ? [] : await circles(work, config)),
    ...(slot === undefined ? [] : await unlikeModel(work, model, slot)),
  ];
}

/** In every database: `pg_shdepend` is shared. https://www.postgresql.org/docs/18/catalog-pg-shdepend.html */
async function ownedObjects(work: Work, { owner, logins }: OverlapConfig): Promise<readonly Finding[]> {
  const rows = await work.ask<{ login: string; database: string; objects: number }>(
    `SELECT r.rolname::text AS login, coalesce(d.datname, current_database())::text AS database, count(*)::int AS objects
     FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
     WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND s.classid <> 'pg_default_acl'::regclass
       AND r.rolname = ANY($1::text[])
     GROUP BY 1, 2 ORDER BY 1, 2`,
    [[...logins]],
  );
  return rows.map(({ login, database, objects }) => ({
    code: "principal_owns_objects",
    detail: `The login ${ident(login)} owns ${objects} object(s) seen from the database ${ident(database)}. They have to belong to the owner role.`,
    mend: `-- in the database ${ident(database)}:\nREASSIGN OWNED BY ${ident(login)} TO ${ident(owner)};`,
  }));
}

/** What such a session makes would belong to the login, and the other login could not use it. */
function notAsOwner(role: Role, { owner }: OverlapConfig): readonly Finding[] {
  if (worksAsOwner(role, owner)) return [];
  return [
    {
      code: "principal_mismatch",
      detail: `Sessions of ${ident(role.name)} do not work as ${ident(owner)}. What they make would belong to the login.`,
      mend: actAsOwner(role.name, owner),
    },
  ];
}

/** PostgreSQL refuses a membership that would go round. */
async function circles(work: Work, { owner, logins }: OverlapConfig): Promise<readonly Finding[]> {
  const rows = await work.ask<{ login: string }>(
    "SELECT login FROM unnest($1::text[]) AS login WHERE pg_has_role($2::name, login::name, 'MEMBER')",
    [[...logins], owner],
  );
  return rows.map(({ login }) => ({
    code: "principal_mismatch",
    detail: `The owner role ${ident(owner)} is a member of its own login ${ident(login)}. It has to be the other way round.`,
    mend: `REVOKE ${ident(login)} FROM ${ident(owner)};`,
  }));
}

/** Differences that issuing mends by itself are none; those that it has no right to mend are. */
async function unlikeModel(work: Work, model: Role, slot: Role): Promise<readonly Finding[]> {
  const options = attributeChanges(model, slot).filter((option) => !(option in plainOptions));
  const beyond = work.server.isSuperuser ? [] : await beyondUs(work, options);
  const superuser = model.isSuperuser === slot.isSuperuser ? [] : [model.isSuperuser ? "SUPERUSER" : "NOSUPERUSER"];
  const changes = await superuserOnly(work, settingChanges(model, slot));
  const mend = [
    ...[...beyond, ...superuser].map((option) => `ALTER ROLE ${ident(slot.name)} ${option};`),
    ...changes.map((change) => settingStatement(slot.name, change)),
  ];
  if (mend.length === 0) return [];
  return [
    {
      code: "principal_mismatch",
      detail: `${ident(slot.name)} differs from ${ident(model.name)} in what the connection's login may not change. A superuser has to.`,
      mend: mend.join("\n"),
    },
  ];
}

/** Whoever has CREATEROLE changes these. */
const plainOptions = { INHERIT: true, NOINHERIT: true, CREATEROLE: true, NOCREATEROLE: true } as const;

/** 16+: an attribute is given by whom has it. Before: CREATEDB by anybody with CREATEROLE, the others by superusers. */
async function beyondUs(work: Work, options: readonly string[]): Promise<readonly string[]> {
  const isBefore = work.server.version < grantsSayMore;
  const [has] = await work.ask<{ CREATEDB: boolean; REPLICATION: boolean; BYPASSRLS: boolean }>(
    `SELECT rolcreatedb AS "CREATEDB", rolreplication AS "REPLICATION", rolbypassrls AS "BYPASSRLS"
     FROM pg_roles WHERE rolname = current_user`,
  );
  return options.filter((option) => {
    const attribute = option.replace(/^NO/, "") as "CREATEDB" | "REPLICATION" | "BYPASSRLS";
    return isBefore ? attribute !== "CREATEDB" : has?.[attribute] !== true;
  });
}

/** Settings that only a superuser may give to a role; one that the server does not know is such a setting too. */
async function superuserOnly(work: Work, changes: readonly SettingChange[]): Promise<readonly SettingChange[]> {
  if (work.server.isSuperuser || changes.length === 0) return [];
  const rows = await work.ask<{ name: string }>(
    `SELECT n.name FROM unnest($1::text[]) AS n(name) LEFT JOIN pg_settings p ON lower(p.name) = lower(n.name)
     WHERE (p.name IS NULL OR p.context IN ('superuser', 'superuser-backend'))
       AND NOT has_parameter_privilege(n.name, 'SET')`,
    [changes.map(({ name }) => name)],
  );
  return changes.filter((change) => rows.some(({ name }) => name === change.name));
}
