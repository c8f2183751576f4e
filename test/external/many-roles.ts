import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { stringify } from "yaml";
import { makeAdmin, newSecret } from "../harness/postgres-issuer.ts";
import { untilLedger } from "../harness/world.ts";
import type { ExternalWorld } from "./external-world.ts";

/** Two logins of one owner role at the issuer, and the file of the application that runs on the one in use. */
export interface ManyRole {
  readonly name: string;
  readonly ref: string;
  readonly file: string;
  readonly former: { readonly user: string; readonly password: string };
  /** What lies in the file now. */
  held(): Promise<{ readonly user: string; readonly password: string }>;
}

const team = "shop";
const times = { lookEvery: "500ms", observeFor: "1s", disabledFor: "1s", holdAfter: "10m", evidence: "delivered" };

/** Registers and adopts as many credentials by the installed program and its API. */
export async function registerRoles(
  world: ExternalWorld,
  names: readonly string[],
  { grace = "2s" }: { readonly grace?: string } = {},
): Promise<readonly ManyRole[]> {
  const admin = { user: `rekey_admin_${names[0]}`, password: newSecret() };
  const roles = await makeRoles(world, names);
  await makeAdmin(
    world.issuer,
    admin,
    names.flatMap((name) => [`${name}_owner`, `${name}_a`, `${name}_b`]),
  );
  const secretFile = join(world.folder, "secrets", `admin-${names[0]}`);
  await writeFile(secretFile, admin.password, { mode: 0o600 });
  const manifests = join(world.folder, `manifests-${names[0]}.yaml`);
  const connection = `${team}/db-${names[0]}`;
  const documents = [
    { kind: "Team", metadata: { name: team }, spec: {} },
    { kind: "Environment", metadata: { name: "production" } },
    object("Connection", `db-${names[0]}`, {
      kind: "postgres-role",
      config: { host: world.issuer.host, port: world.issuer.port, database: "postgres", user: admin.user },
      secretFrom: { file: secretFile },
    }),
    ...roles.flatMap(({ name, ref, file }) => [
      object("Credential", name, {
        ...{ owner: team, issuer: "postgres-role", connection, policy: { ...times, grace } },
        config: { owner: `${name}_owner`, logins: [`${name}_a`, `${name}_b`], database: "postgres" },
      }),
      object("Consumer", name, {
        ...{ credential: ref, kind: "file" },
        config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
      }),
    ]),
  ];
  const text = documents.map((each) => stringify({ apiVersion: "rekey/v1", ...each })).join("---\n");
  await writeFile(manifests, text);
  await world.run(["apply", "-f", manifests, "--yes"]);
  await eachOf(roles, async ({ ref, former }) => {
    const { checkId } = await world.api.call("adoptCredential", {
      params: { credential: ref },
      body: { secret: former.password, fields: { username: former.user } },
    });
    await untilLedger(async () => {
      const { rows } = await world.ledger.witness.query<{ state: string; findings: unknown }>(
        "SELECT state, findings FROM checks WHERE id = $1",
        [checkId],
      );
      if (rows[0]?.state === "failed") throw new Error(JSON.stringify(rows[0].findings));
      return rows[0]?.state === "done" ? true : undefined;
    });
  });
  return roles;
}

const object = (kind: string, name: string, spec: object) => ({
  ...{ kind, metadata: { name, team, environment: "production" }, spec },
});

async function makeRoles({ issuer, targets }: ExternalWorld, names: readonly string[]): Promise<readonly ManyRole[]> {
  const roles = names.map((name) => {
    const file = join(targets, `${name}.env`);
    return {
      ...{ name, ref: `${team}/${name}`, file, former: { user: `${name}_a`, password: newSecret() } },
      async held() {
        const { DB_USER: user = "", DB_PASSWORD: password = "" } = parseEnv(await readFile(file, "utf8"));
        return { user, password };
      },
    };
  });
  const options = issuer.version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
  await issuer.ask(
    roles
      .map(
        ({ name, former }) => `CREATE ROLE ${name}_owner NOLOGIN;
          CREATE ROLE ${name}_a LOGIN PASSWORD '${former.password}'; CREATE ROLE ${name}_b NOLOGIN;
          GRANT ${name}_owner TO ${name}_a, ${name}_b${options};
          ALTER ROLE ${name}_a SET role = '${name}_owner'; ALTER ROLE ${name}_b SET role = '${name}_owner';`,
      )
      .join("\n"),
  );
  for (const { file, former } of roles)
    await writeFile(file, `DB_USER=${former.user}\nDB_PASSWORD=${former.password}\n`, { mode: 0o600 });
  return roles;
}

/** Six at a time: the API counts requests. */
export async function eachOf<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: 6 }, lane));
}
