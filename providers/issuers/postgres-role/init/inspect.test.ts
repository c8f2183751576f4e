import { randomBytes } from "node:crypto";
import pg from "pg";
import { expect, test } from "vitest";
import { newSecret, onEachRelease, type IssuerServer } from "../../../../test/harness/postgres-issuer.ts";
import { Secret } from "../../../contract/secret.ts";
import type { Inspection } from "../../../contract/init.ts";
import { init } from "./inspect.ts";
import { slotName } from "./slots.ts";

const ident = pg.escapeIdentifier;
const { signal } = new AbortController();
const newMark = () => randomBytes(4).toString("hex");

interface Login {
  readonly user: string;
  readonly password: string;
}

function look(
  server: IssuerServer,
  role: string,
  as: Login = server.superuser,
  admin = "rekey_admin",
  database = "orders",
) {
  const { host, port } = server;
  const question = init.questionSchema.parse({ connection: { host, port, database, user: as.user }, role, admin });
  const context = { signal, fetch: () => Promise.reject(new Error("no HTTP here")), log: () => undefined };
  return init.inspect(question, { password: new Secret(as.password) }, context as never);
}

async function makeLogin(server: IssuerServer, name = `app_${newMark()}`, options = ""): Promise<Login> {
  const password = newSecret();
  await server.ask(`CREATE ROLE ${ident(name)} LOGIN ${options} PASSWORD ${pg.escapeLiteral(password)}`);
  return { user: name, password };
}

/** Pasted as it is, all but psql's own command, whose part a person's password plays. */
export const sqlOf = ({ steps }: Inspection): string =>
  steps
    .filter(({ where }) => where.startsWith("psql"))
    .map(({ run }) => run)
    .filter((run) => !run.startsWith("\\"))
    .join("\n");

onEachRelease((current) => {
  test("prints SQL that makes the pair and the admin, after which there is nothing left to do; and SQL that takes all of it back", async () => {
    const server = current();
    const app = await makeLogin(server, undefined, "CONNECTION LIMIT 7");
    await server.ask(`
      ALTER ROLE ${app.user} SET search_path = shop, public; ALTER ROLE ${app.user} SET log_statement = 'ddl';
      ALTER ROLE ${app.user} IN DATABASE orders SET work_mem = '8MB'`);
    const admin = `admin_${newMark()}`;
    const before = await server.ask("SELECT rolname FROM pg_roles ORDER BY 1");
    const found = await look(server, app.user, server.superuser, admin);
    expect(found.findings).toEqual([]);
    expect(found.credential).toEqual({
      owner: app.user,
      logins: [`${app.user}_a`, `${app.user}_b`],
      database: "orders",
    });
    expect(found.connection).toMatchObject({ host: server.host, user: admin });
    await server.ask(sqlOf(found));
    const rows = await server.ask(`
      SELECT rolname, rolcanlogin, rolconnlimit, rolconfig FROM pg_roles
      WHERE rolname LIKE '${app.user}\\__' ORDER BY 1`);
    const config = ["search_path=shop, public", "log_statement=ddl", `role=${app.user}`];
    expect(rows).toEqual(
      ["a", "b"].map((letter) => ({
        rolname: `${app.user}_${letter}`,
        rolcanlogin: false,
        rolconnlimit: 7,
        rolconfig: config,
      })),
    );
    const again = await look(server, app.user, server.superuser, admin);
    expect(again.steps).toEqual([]);
    expect(again.credential).toEqual(found.credential);
    for (const { undo } of found.steps.toReversed()) await server.ask(undo);
    expect(await server.ask("SELECT rolname FROM pg_roles ORDER BY 1")).toEqual(before);
    expect(await server.logsIn(app.user, app.password)).toBe("accepted");
  });

  test("names each right that an admin lacks, with the SQL that gives it", async () => {
    const server = current();
    const app = await makeLogin(server);
    const admin = await makeLogin(server, `admin_${newMark()}`);
    const { steps } = await look(server, app.user, server.superuser, admin.user);
    const [step] = steps.filter(({ title }) => title.includes(admin.user));
    expect(step?.run).toContain(`ALTER ROLE ${ident(admin.user)} CREATEROLE;`);
    expect(step?.run).toContain(`GRANT pg_signal_backend TO ${ident(admin.user)};`);
    expect(step?.run).toContain(`GRANT pg_monitor TO ${ident(admin.user)};`);
    expect(step?.run.includes("WITH ADMIN TRUE")).toBe(server.version >= 160_000);
    await server.ask(steps.map(({ run }) => run).join("\n"));
    expect((await look(server, app.user, server.superuser, admin.user)).steps).toEqual([]);
  });

  test("is content with the application's own login, and fills in the evidence from its sessions", async () => {
    const server = current();
    const app = await makeLogin(server);
    await server.openSession(app.user, app.password, { name: "order-service" });
    const found = await look(server, app.user, app);
    expect(found.findings).toEqual([]);
    expect(found.evidence).toEqual({
      sessions: { database: "orders", networks: ["127.0.0.1"], applicationName: "order-service", instances: 1 },
    });
    expect(found.seen.find(({ name }) => name === "Access rules")?.text).toContain("may not read them");
  });

  test("keeps away from names that others have, and from where PostgreSQL would cut them", async () => {
    const server = current();
    const app = await makeLogin(server);
    await makeLogin(server, `${app.user}_a`);
    await server.ask(
      `CREATE ROLE ${app.user}_b; CREATE TABLE kept_${app.user} (id int); ALTER TABLE kept_${app.user} OWNER TO ${app.user}_b`,
    );
    const found = await look(server, app.user);
    expect(found.credential["logins"]).toEqual([`${app.user}_c`, `${app.user}_d`]);
    expect(found.seen.find(({ name }) => name === "The pair")?.text).toContain(`${app.user}_a, ${app.user}_b belong`);

    const long = await makeLogin(server, `${newMark()}${"ä".repeat(27)}x`);
    expect(Buffer.byteLength(long.user)).toBe(63);
    const cut = await look(server, long.user);
    const names = cut.credential["logins"] as string[];
    expect(names).toEqual([slotName(long.user, "a"), slotName(long.user, "b")]);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    await server.ask(sqlOf(cut));
    expect((await look(server, long.user)).steps).toEqual([]);
  });

  test("sees the mark of rekey on the login or on one that works as it, with the SQL that takes it away", async () => {
    const server = current();
    const app = await makeLogin(server);
    const found = await look(server, app.user);
    expect(found.claimed).toBeUndefined();
    await server.ask(sqlOf(found));
    const claim = { epoch: 1, number: 1 };
    const mark = { instance: "ins_1", credential: "crd_1", version: 2, operationKey: "k", claim, state: "live" };
    const comment = `rekey:${JSON.stringify({ ...mark, at: "2026-01-01T00:00:00.000Z" })}`;
    await server.ask(`COMMENT ON ROLE ${app.user}_b IS '${comment}'; ALTER ROLE ${app.user}_b LOGIN`);
    const by = { instance: "ins_1", credential: "crd_1" };
    const onPair = await look(server, app.user);
    expect(onPair.claimed).toMatchObject({ on: `${app.user}_b`, by });
    await server.ask(`COMMENT ON ROLE ${app.user} IS 'ours. ${comment}'; ALTER ROLE ${app.user} NOLOGIN`);
    const onBoth = await look(server, app.user);
    expect(onBoth.claimed).toMatchObject({ on: app.user, by });
    await server.ask(onBoth.claimed?.mend ?? "");
    expect((await look(server, app.user)).claimed).toBeUndefined();
    expect(await server.ask(`SELECT shobj_description('${app.user}'::regrole, 'pg_authid') AS c`)).toEqual([
      { c: "ours." },
    ]);
    await server.ask(`COMMENT ON ROLE ${app.user} IS 'rekey:{?'`);
    expect((await look(server, app.user)).claimed).toMatchObject({ on: app.user, by: undefined });
  });

  test("quotes a login with capitals, dashes and quotes everywhere", async () => {
    const server = current();
    const odd = await makeLogin(server, `Ann's "Shop"-${newMark()}; DROP ROLE keeper`);
    const found = await look(server, odd.user, server.superuser, `Admin "${newMark()}"`);
    await server.ask(sqlOf(found));
    expect(
      await server.ask(
        `SELECT count(*)::int AS n FROM pg_roles WHERE rolname LIKE ${pg.escapeLiteral(`${odd.user}%`)}`,
      ),
    ).toEqual([{ n: 3 }]);
  });

  test("prints the access rules that the pair needs, which let it in as they stand", async () => {
    const server = current();
    const app = await makeLogin(server);
    await server.addRule(`host orders ${app.user} 127.0.0.1/32 scram-sha-256`);
    await server.addRule(`host orders ${app.user},${app.user}_a samenet scram-sha-256`);
    const found = await look(server, app.user);
    const step = found.steps.find(({ where }) => where.startsWith("pg_hba.conf"));
    const lines = step?.run.split("\n").filter((line) => !line.startsWith("#")) ?? [];
    expect(lines).toHaveLength(2);
    for (const line of lines) await server.addRule(line);
    const bad = await server.ask("SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL");
    expect(bad).toEqual([]);
    expect((await look(server, app.user)).steps.some(({ where }) => where.startsWith("pg_hba"))).toBe(false);
  });

  test("says what no login of the pair mends: a superuser, a group, a password kept as MD5, a name that is not there", async () => {
    const server = current();
    const boss = await makeLogin(server, undefined, "SUPERUSER");
    expect((await look(server, boss.user)).findings).toContainEqual(expect.objectContaining({ code: "right_missing" }));
    await server.ask("CREATE ROLE a_group");
    expect((await look(server, "a_group")).findings).toMatchObject([{ code: "principal_mismatch" }]);
    const old = `old_${newMark()}`;
    await server.ask(`SET password_encryption = 'md5'; CREATE ROLE ${old} LOGIN PASSWORD '${newSecret()}'`);
    expect((await look(server, old)).findings).toMatchObject([
      { code: "transport_unverified", mend: expect.stringContaining("scram-sha-256") as string },
    ]);
    await expect(look(server, "nobody_here")).rejects.toMatchObject({
      code: "principal_missing",
      detail: expect.stringContaining(old) as string,
    });
  });

  test("says of a mistyped password, port, database and login what to type, when there is no connection to mend", async () => {
    const server = current();
    const app = await makeLogin(server);
    const where = `${server.host}:${server.port}`;
    const told = (detail: string) => ({ detail: expect.stringContaining(detail) as string });
    await expect(look(server, app.user, { ...app, password: newSecret() })).rejects.toMatchObject(
      told(`${where} refuses the password that was typed for ${app.user}. Run the command again`),
    );
    await expect(look(server, app.user, app, "rekey_admin", "no_such")).rejects.toMatchObject(
      told(`${where} has no database "no_such"`),
    );
    await expect(look({ ...server, port: 1 }, app.user, app)).rejects.toMatchObject(
      told(`Nothing answered at ${server.host}:1. Give the address`),
    );
    await expect(look(server, `${app.user}x`, app)).rejects.toMatchObject(told(`Did you mean ${ident(app.user)}?`));
  });
});
