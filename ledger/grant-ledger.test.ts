import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterEach, expect, it } from "vitest";
import { withDatabase } from "../test/harness/ledger.ts";
import type { OperatorNeededError } from "../domain/errors.ts";
import { grantLedger } from "./grant-ledger.ts";
import { assertSchemaCurrent, migrate } from "./migrate.ts";

const made: { url: string; login: string }[] = [];

async function ask(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** A migrated ledger, and a role that nobody gave anything. */
async function withLogin(options = "LOGIN"): Promise<{ readonly url: string; readonly login: string }> {
  const url = await withDatabase();
  await migrate(url);
  const login = `serve_${randomBytes(4).toString("hex")}`;
  await ask(url, `CREATE ROLE ${login} ${options}`);
  made.push({ url, login });
  return { url, login };
}

afterEach(async () => {
  for (const { url, login } of made.splice(0)) await ask(url, `DROP OWNED BY ${login} CASCADE; DROP ROLE ${login}`);
});

const rightsOn = async (url: string, login: string, table: string): Promise<readonly string[]> => {
  const rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER"];
  const asked = rights.map((right) => `has_table_privilege('${login}', '${table}', '${right}') AS "${right}"`);
  const [row = {}] = await ask(url, `SELECT ${asked.join(", ")}`);
  return rights.filter((right) => row[right] === true);
};

it("gives the login every table to work with, the audit trail to add to, and the migrations to read", async () => {
  const { url, login } = await withLogin();
  await grantLedger(url, login);
  for (const table of ["audit", "audit_seals", "audit_heads"])
    expect(await rightsOn(url, login, table), table).toEqual(["SELECT", "INSERT"]);
  expect(await rightsOn(url, login, "schema_migrations")).toEqual(["SELECT"]);
  const tables = await ask(url, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'");
  const others = tables.map(({ name }) => String(name)).filter((name) => !/^(audit|schema_)/.test(name));
  expect(others.length).toBeGreaterThan(20);
  for (const table of others)
    expect(await rightsOn(url, login, table), table).toEqual(["SELECT", "INSERT", "UPDATE", "DELETE"]);
});

it("takes back what the login had more, and gives the same when it is repeated", async () => {
  const { url, login } = await withLogin();
  await ask(url, `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${login}`);
  for (let round = 0; round < 2; round += 1) {
    await grantLedger(url, login);
    expect(await rightsOn(url, login, "audit")).toEqual(["SELECT", "INSERT"]);
  }
});

it("refuses a login that is not there, and one that could do everything anyway", async () => {
  const { url, login } = await withLogin("LOGIN SUPERUSER");
  await expect(grantLedger(url, login)).rejects.toMatchObject({
    code: "ledger_schema",
    detail: expect.stringContaining("Name another login"),
  });
  await expect(grantLedger(url, "nobody_here")).rejects.toMatchObject({
    detail: expect.stringContaining("There is no role nobody_here"),
  });
  const [owner] = await ask(url, "SELECT current_user AS name");
  await expect(grantLedger(url, String(owner?.["name"]))).rejects.toMatchObject({ code: "ledger_schema" });
});

it("refuses what the login may do to the audit trail by what everybody may, and leaves everything as it was", async () => {
  const { url, login } = await withLogin();
  for (const [grant, said] of [
    ["UPDATE ON audit", "Everybody has UPDATE on audit: REVOKE ALL ON audit FROM PUBLIC;"],
    ["UPDATE (details) ON audit", "Everybody has UPDATE on audit:"],
    ["DELETE, TRUNCATE ON audit_seals", "Everybody has DELETE, TRUNCATE on audit_seals:"],
    ["INSERT ON schema_migrations", "Everybody has INSERT on schema_migrations:"],
  ] as const) {
    await ask(url, `GRANT ${grant} TO PUBLIC`);
    await expect(grantLedger(url, login)).rejects.toMatchObject({
      code: "ledger_schema",
      detail: expect.stringContaining(said),
    });
    expect(await rightsOn(url, login, "tokens")).toEqual([]);
    await ask(url, `REVOKE ${grant} FROM PUBLIC`);
  }
  await ask(url, "GRANT SELECT, INSERT ON audit TO PUBLIC");
  await grantLedger(url, login);
});

it("refuses what it may do by a group, directly or through another, inherited or not", async () => {
  const { url, login } = await withLogin();
  const groups = ["a", "b"].map((end) => `${login}_${end}`);
  const [group = "", through = ""] = groups;
  await ask(url, `CREATE ROLE ${group}; CREATE ROLE ${through}; GRANT ${group} TO ${through}`);
  try {
    const refusal = async () =>
      grantLedger(url, login).then(
        () => "",
        ({ detail }: OperatorNeededError) => detail,
      );
    await ask(url, `GRANT UPDATE ON audit_heads TO ${group}; GRANT ${through} TO ${login}`);
    const inherited = await refusal();
    expect(inherited).toContain(
      `${login} is in ${through}, which has UPDATE on audit_heads: REVOKE "${through}" FROM "${login}";`,
    );
    expect(inherited).not.toContain(group);
    await ask(url, `ALTER ROLE ${through} NOINHERIT; REVOKE ${group} FROM ${through}; GRANT ${group} TO ${through}`);
    expect(await rightsOn(url, login, "audit_heads")).toEqual([]);
    expect(await refusal()).toContain(`${login} can become ${group} by a role that is in it, and that has UPDATE on`);
    await ask(url, `REVOKE ${through} FROM ${login}`);
    await grantLedger(url, login);
    await ask(url, `GRANT pg_write_all_data TO ${login}`);
    expect(await refusal()).toContain(`${login} is in pg_write_all_data, which has DELETE, UPDATE on audit; `);
    await ask(url, `REVOKE pg_write_all_data FROM ${login}`);
  } finally {
    await ask(url, groups.map((name) => `DROP OWNED BY ${name}; DROP ROLE ${name};`).join(" "));
  }
});

it("refuses one that can become a superuser, or owns the schema in which the tables lie", async () => {
  const { url, login } = await withLogin();
  const [owner] = await ask(url, "SELECT current_user AS name");
  const mighty = { code: "ledger_schema", detail: expect.stringContaining("Name another login") };
  const boss = `${login}_boss`;
  await ask(url, `CREATE ROLE ${boss} SUPERUSER; GRANT ${boss} TO ${login}`);
  try {
    await expect(grantLedger(url, login)).rejects.toMatchObject(mighty);
  } finally {
    await ask(url, `DROP ROLE ${boss}`);
  }
  await ask(url, `ALTER SCHEMA public OWNER TO ${login}`);
  await expect(grantLedger(url, login)).rejects.toMatchObject(mighty);
  await ask(url, `ALTER SCHEMA public OWNER TO ${pg.escapeIdentifier(String(owner?.["name"]))}`);
  await grantLedger(url, login);
});

it("says what is wrong with the way to the ledger, in words of the setting", async () => {
  const password = randomBytes(8).toString("hex");
  const { url, login } = await withLogin(`LOGIN PASSWORD '${password}'`);
  const as = (secret: string) => url.replace(/\/\/[^@]*@/, `//${login}:${secret}@`);
  for (const [address, said] of [
    [url.replace(/@\/\w+/, "@/not_here"), "There is no database"],
    [as("another"), "refused the password"],
    [as(password), "--grant-to"],
  ] as const)
    await expect(migrate(address)).rejects.toMatchObject({
      code: "ledger_refused",
      detail: expect.stringContaining(said),
    });
  await grantLedger(url, login);
  await assertSchemaCurrent(as(password));
});
