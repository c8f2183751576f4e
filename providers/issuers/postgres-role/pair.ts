import type { Work } from "./admin.ts";
import type { Role, RoleSettings } from "./catalogue.ts";
import { ident, literal, settingName } from "./quoting.ts";
import { assignment, settingsIn, type Setting } from "./setting-list.ts";

/** From here on a grant says itself whether a member inherits and may become the role. */
export const grantsSayMore = 160_000;

/** One setting that the slot lacks, has otherwise (`value`) or has too much (no value). */
export interface SettingChange {
  readonly database: string | undefined;
  readonly name: string;
  readonly value?: string;
}

/** What makes a slot's settings those of the version that consumers run on, so that they notice no difference. */
export function settingChanges(from: Role, to: Role): readonly SettingChange[] {
  const databases = new Set([...from.settings, ...to.settings].map(({ database }) => database));
  return [...databases].flatMap((database) => {
    const wanted = settingsFor(from.settings, database);
    const present = settingsFor(to.settings, database);
    const set = wanted
      .filter(({ name, value }) => present.find((other) => other.name === name)?.value !== value)
      .map((setting) => ({ database, ...setting }));
    const reset = present
      .filter(({ name }) => !wanted.some((other) => other.name === name))
      .map(({ name }) => ({ database, name }));
    return [...set, ...reset];
  });
}

function settingsFor(all: readonly RoleSettings[], database: string | undefined): readonly Setting[] {
  return settingsIn(all.find((settings) => settings.database === database)?.entries ?? []);
}

export function settingStatement(role: string, { database, name, value }: SettingChange): string {
  const where = database === undefined ? "" : ` IN DATABASE ${ident(database)}`;
  const what = value === undefined ? `RESET ${settingName(name)}` : `SET ${assignment({ name, value })}`;
  return `ALTER ROLE ${ident(role)}${where} ${what};`;
}

const attributes = [
  ["inherits", "INHERIT"],
  ["createsRoles", "CREATEROLE"],
  ["createsDatabases", "CREATEDB"],
  ["replicates", "REPLICATION"],
  ["bypassesRowSecurity", "BYPASSRLS"],
] as const satisfies readonly (readonly [keyof Role, string])[];

/** Attributes of `from` that `to` has otherwise, as options of ALTER ROLE. Being a superuser is never copied. */
export function attributeChanges(from: Role, to: Role): readonly string[] {
  return attributes
    .filter(([key]) => from[key] !== to[key])
    .map(([key, option]) => (from[key] ? option : `NO${option}`));
}

/** Settings of one database win over those of all, so that a `role` there would undo the pair's. */
const otherRoles = (role: Role): readonly string[] =>
  role.settings
    .filter(({ database, entries }) => database !== undefined && entries.some((entry) => entry.startsWith("role=")))
    .map(({ database }) => `ALTER ROLE ${ident(role.name)} IN DATABASE ${ident(database ?? "")} RESET role;`);

/** Each session of the login works as the owner role: tables that it makes belong to the owner, not to the login. */
export const actAsOwner = (login: string, owner: string): string =>
  `ALTER ROLE ${ident(login)} SET role = ${literal(owner)};`;

export const worksAsOwner = (login: Role, owner: string): boolean =>
  login.settings.some(({ database, entries }) => database === undefined && entries.includes(`role=${owner}`)) &&
  otherRoles(login).length === 0;

/** The grant that lets a login work as the owner role. */
export function membership(login: string, owner: string, serverVersion: number): string {
  const options = serverVersion >= grantsSayMore ? " WITH INHERIT TRUE, SET TRUE" : "";
  return `GRANT ${ident(owner)} TO ${ident(login)}${options};`;
}

/** Becomes the owner role at login, and may what the owner may before that: the database is entered as the login. */
async function mayBecome(work: Work, login: string, owner: string): Promise<boolean> {
  const how = work.server.version >= grantsSayMore ? "pg_has_role($1::name, $2::name, 'SET')" : "true";
  const [row] = await work.ask<{ may: boolean }>(`SELECT ${how} AND pg_has_role($1::name, $2::name, 'USAGE') AS may`, [
    login,
    owner,
  ]);
  return row?.may === true;
}

/** All that makes the slot a full member of the pair, besides its password. */
export async function pairStatements(work: Work, slot: Role, model: Role, owner: string): Promise<readonly string[]> {
  return [
    ...((await mayBecome(work, slot.name, owner)) ? [] : [membership(slot.name, owner, work.server.version)]),
    ...settingChanges(model, slot).map((change) => settingStatement(slot.name, change)),
    ...otherRoles(slot),
    ...(worksAsOwner(slot, owner) ? [] : [actAsOwner(slot.name, owner)]),
  ];
}
