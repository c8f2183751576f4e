import type { InitStep } from "../../../contract/init.ts";
import type { Work } from "../admin.ts";
import type { Role } from "../catalogue.ts";
import {
  actAsOwner,
  attributeChanges,
  grantsSayMore,
  membership,
  pairStatements,
  settingChanges,
  settingStatement,
} from "../pair.ts";
import { ident } from "../quoting.ts";
import { rightsLackedBy } from "../rights.ts";
import type { Slot } from "./slots.ts";

const where = "psql, as a superuser";

/**
 * Two logins that work as the role, with all that its sessions have: what only a superuser may set among it, which is why
 * a person does this and not the first rotation. Nobody can log in with them yet.
 */
export async function pairSteps(work: Work, role: Role, slots: readonly Slot[]): Promise<readonly InitStep[]> {
  const steps = await Promise.all(slots.map(async (slot) => slotStep(work, role, slot)));
  return steps.filter((step) => step !== undefined);
}

async function slotStep(work: Work, role: Role, { name, role: there }: Slot): Promise<InitStep | undefined> {
  const slot = there ?? { ...bare, name };
  const options = [
    ...attributeChanges(role, slot),
    ...(role.connectionLimit === slot.connectionLimit ? [] : [`CONNECTION LIMIT ${role.connectionLimit}`]),
  ];
  const run = [
    ...(there === undefined ? [`CREATE ROLE ${ident(name)} NOLOGIN;`] : []),
    ...(options.length === 0 ? [] : [`ALTER ROLE ${ident(name)} ${options.join(" ")};`]),
    ...(there === undefined
      ? [
          membership(name, role.name, work.server.version),
          ...settingChanges(role, slot).map((change) => settingStatement(name, change)),
          actAsOwner(name, role.name),
        ]
      : await pairStatements(work, there, role, role.name)),
  ];
  if (run.length === 0) return undefined;
  return {
    title: `${there === undefined ? "Make" : "Complete"} ${name}, a login that works as ${role.name}`,
    why: `Nobody can log in with it yet. Its sessions will make and own everything as ${role.name}, with the same settings${role.connectionLimit < 0 ? "" : ", and a connection limit of its own that is as high"}. No table is touched, no session notices.`,
    where,
    run: run.join("\n"),
    undo:
      there === undefined
        ? `DROP ROLE ${ident(name)};`
        : `-- ${ident(name)} was there before; nothing has to be taken back.`,
  };
}

/** A role as `CREATE ROLE` makes it. */
const bare = {
  canLogin: false,
  isSuperuser: false,
  inherits: true,
  createsRoles: false,
  createsDatabases: false,
  replicates: false,
  bypassesRowSecurity: false,
  connectionLimit: -1,
  expires: false,
  expiresSoon: false,
  comment: { before: "", after: "", mark: undefined },
  settings: [],
} as const satisfies Omit<Role, "name">;

/** The login that rekey works with, with the least that this release lets it do its work by; or what it lacks of that. */
export async function adminSteps(
  work: Work,
  admin: { readonly name: string; readonly role: Role | undefined },
  database: string,
  principals: readonly string[],
): Promise<readonly InitStep[]> {
  const me = ident(admin.name);
  const lacks = await rightsLackedBy(work, { name: admin.name, exists: admin.role !== undefined }, principals);
  const mayConnect = await canConnect(work, admin.role === undefined ? "public" : admin.name, database);
  const connect = mayConnect ? [] : [`GRANT CONNECT ON DATABASE ${ident(database)} TO ${me};`];
  const grants = [...lacks.flatMap(({ mend }) => mend ?? []), ...connect];
  const isOld = work.server.version < grantsSayMore;
  if (admin.role !== undefined) {
    const run = [...(admin.role.canLogin ? [] : [`ALTER ROLE ${me} LOGIN;`]), ...grants];
    if (run.length === 0) return [];
    const undo = "-- as it was before; nothing has to be taken back for the application";
    return [
      {
        title: `Give ${admin.name} what it lacks`,
        why: lacks.map(({ detail }) => detail).join(" "),
        where,
        run: run.join("\n"),
        undo,
      },
    ];
  }
  return [
    {
      title: `Make ${admin.name}, the login that rekey works with`,
      why: isOld
        ? "Before PostgreSQL 16, CREATEROLE reaches every role that is no superuser: keep this login as you keep a superuser's. From 16 on it is bound to the roles that it is given."
        : "It may change these roles and no other, becomes none of them, and reads no table. No session notices.",
      where,
      run: [`CREATE ROLE ${me} LOGIN CREATEROLE;`, ...grants.filter((grant) => !grant.startsWith("ALTER"))].join("\n"),
      undo: [
        ...connect.map((grant) => grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM ")),
        `DROP ROLE ${me};`,
      ].join("\n"),
    },
    {
      title: "Give it a password",
      why: "psql asks for it and sends the verifier only: the password is in no log and no history. Keep it in a file that only you can read, which the connection's manifest names.",
      where: "psql, as a superuser",
      run: `\\password ${me}`,
      undo: "-- goes with the login",
    },
  ];
}

async function canConnect(work: Work, who: string, database: string): Promise<boolean> {
  const [row] = await work.ask<{ may: boolean }>(
    "SELECT has_database_privilege($1::name, $2::text, 'CONNECT') AS may",
    [who, database],
  );
  return row?.may === true;
}
