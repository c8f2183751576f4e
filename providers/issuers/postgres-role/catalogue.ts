import type { Work } from "./admin.ts";
import { readComment, type Comment } from "./mark.ts";

/** Per-role settings, for one database or (`undefined`) for all. */
export interface RoleSettings {
  readonly database: string | undefined;
  /** As the catalogue keeps them: `name=value`. */
  readonly entries: readonly string[];
}

/** What the catalogue shows of one role. Nobody but a superuser sees whether it has a password. */
export interface Role {
  readonly name: string;
  readonly canLogin: boolean;
  readonly isSuperuser: boolean;
  readonly inherits: boolean;
  readonly createsRoles: boolean;
  readonly createsDatabases: boolean;
  readonly replicates: boolean;
  readonly bypassesRowSecurity: boolean;
  /** -1: none. */
  readonly connectionLimit: number;
  /** The password has a last day. */
  readonly expires: boolean;
  /** The last day is past, or within a day. */
  readonly expiresSoon: boolean;
  readonly comment: Comment;
  readonly settings: readonly RoleSettings[];
}

interface RoleRow extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly can_login: boolean;
  readonly superuser: boolean;
  readonly inherits: boolean;
  readonly creates_roles: boolean;
  readonly creates_databases: boolean;
  readonly replicates: boolean;
  readonly bypasses: boolean;
  readonly connection_limit: number;
  readonly expires: boolean;
  readonly expires_soon: boolean;
  readonly comment: string | null;
  readonly settings: readonly { readonly database: string | null; readonly entries: readonly string[] }[] | null;
}

/** The named roles that exist, keyed by name. https://www.postgresql.org/docs/18/view-pg-roles.html */
export async function readRoles(work: Work, names: readonly string[]): Promise<ReadonlyMap<string, Role>> {
  const rows = await work.ask<RoleRow>(
    `SELECT r.rolname::text AS name, r.rolcanlogin AS can_login, r.rolsuper AS superuser, r.rolinherit AS inherits,
       r.rolcreaterole AS creates_roles, r.rolcreatedb AS creates_databases, r.rolreplication AS replicates,
       r.rolbypassrls AS bypasses, r.rolconnlimit AS connection_limit,
       coalesce(isfinite(r.rolvaliduntil), false) AS expires,
       coalesce(r.rolvaliduntil < now() + interval '1 day', false) AS expires_soon,
       shobj_description(r.oid, 'pg_authid') AS comment,
       (SELECT json_agg(json_build_object('database', d.datname, 'entries', s.setconfig) ORDER BY d.datname NULLS FIRST)
          FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
          WHERE s.setrole = r.oid) AS settings
     FROM pg_roles r WHERE r.rolname = ANY($1::text[])`,
    [[...names]],
  );
  return new Map(rows.map((row) => [row.name, asRole(row)]));
}

export async function readRole(work: Work, name: string): Promise<Role | undefined> {
  return (await readRoles(work, [name])).get(name);
}

const asRole = (row: RoleRow): Role => ({
  name: row.name,
  canLogin: row.can_login,
  isSuperuser: row.superuser,
  inherits: row.inherits,
  createsRoles: row.creates_roles,
  createsDatabases: row.creates_databases,
  replicates: row.replicates,
  bypassesRowSecurity: row.bypasses,
  connectionLimit: row.connection_limit,
  expires: row.expires,
  expiresSoon: row.expires_soon,
  comment: readComment(row.comment),
  settings: (row.settings ?? []).map(({ database, entries }) => ({ database: database ?? undefined, entries })),
});
