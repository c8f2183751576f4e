import { beforeAll, expect, test } from "vitest";
import { makePair, newSecret, onEachRelease, type IssuerServer } from "../../../test/harness/postgres-issuer.ts";
import { effectOn, issueVersion, openRole, passwordOf, valueOf } from "../../../test/harness/postgres-role.ts";

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  async function opened() {
    const pair = await makePair(server);
    const [a, b] = pair.logins;
    const config = { owner: pair.owner, logins: pair.logins, database: "orders" };
    const session = await openRole(server, pair.admin, config);
    const first = { handle: `${a}/1`, value: valueOf(server, a, pair.password) };
    const look = (live = [first.handle]) => session.preflight({ live, instance: "ins_1", credential: "crd_1" });
    return { ...pair, a, b, config, session, first, look };
  }

  /** What is found, and that running the printed SQL as a superuser leaves nothing to find. */
  async function foundAndMended(look: () => ReturnType<Awaited<ReturnType<typeof opened>>["look"]>) {
    const findings = await look();
    for (const { mend, detail } of findings) {
      expect(mend, detail).toBeDefined();
      await server.ask(
        mend ?? "",
        mend?.includes("REASSIGN") === true || mend?.includes("TABLE") === true ? "orders" : "postgres",
      );
    }
    expect(await look(), "the printed SQL mends it").toEqual([]);
    return findings.map(({ code }) => code);
  }

  test.each([
    ["CREATEROLE", (me: string) => `ALTER ROLE ${me} NOCREATEROLE`],
    ["pg_signal_backend", (me: string) => `REVOKE pg_signal_backend FROM ${me}`],
    ["pg_monitor", (me: string) => `REVOKE pg_monitor FROM ${me}`],
  ])("invariant 16: without %s the grant is named", async (right, take) => {
    const { admin, look, session } = await opened();
    await server.ask(take(admin.user));
    expect((await look())[0]).toMatchObject({ code: "right_missing", mend: expect.stringContaining(right) as string });
    expect(await foundAndMended(look)).toEqual(["right_missing"]);
    await session.close();
  });

  test("invariant 16: on 16 and newer each role needs the ADMIN option, and a call without it names the grant", async () => {
    const { a, b, owner, admin, look, session, first } = await opened();
    for (const role of [owner, a, b]) {
      await server.ask(`REVOKE ${role} FROM ${admin.user}`);
      if (server.version < 160_000) {
        expect(await look()).toEqual([]);
        continue;
      }
      expect(await foundAndMended(look), role).toEqual(["right_missing"]);
    }
    if (server.version >= 160_000) {
      await server.ask(`REVOKE ${b} FROM ${admin.user}`);
      await expect(issueVersion(session, 2, [first.handle])).rejects.toMatchObject({
        name: "OperatorNeededError",
        code: "right_missing",
        detail: expect.stringContaining(`GRANT "${b}" TO "${admin.user}" WITH ADMIN TRUE`) as string,
      });
    }
    await session.close();
  });

  test("a call without CREATEROLE, pg_signal_backend or pg_monitor says which grant it lacks, and changes nothing", async () => {
    const { a, b, admin, session, first, password } = await opened();
    await server.ask(`ALTER ROLE ${admin.user} NOCREATEROLE`);
    const lacks = (grant: string) => ({ code: "right_missing", detail: expect.stringContaining(grant) as string });
    await expect(issueVersion(session, 2, [first.handle])).rejects.toMatchObject(lacks("CREATEROLE"));
    expect(await server.logsIn(b, "any")).toBe("28P01");
    await server.ask(`ALTER ROLE ${admin.user} CREATEROLE; REVOKE pg_monitor FROM ${admin.user}`);
    await expect(session.usage?.([first.handle])).rejects.toMatchObject(lacks("pg_monitor"));
    await server.ask(`GRANT pg_monitor TO ${admin.user}; REVOKE pg_signal_backend FROM ${admin.user}`);
    const shop = await server.openSession(a, password);
    await expect(session.endSessions?.(effectOn(first.handle))).rejects.toMatchObject(lacks("pg_signal_backend"));
    expect((await shop.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await session.close();
  });

  test("a wrong secret of the connection is said as such, and so is a database that is not there", async () => {
    const { admin, config, session } = await opened();
    const wrong = await openRole(server, { ...admin, password: "wrong" }, config);
    const auth = { name: "OperatorNeededError", code: "issuer_auth_failed" };
    await expect(wrong.identify()).rejects.toMatchObject(auth);
    const nowhere = await openRole(server, admin, config, { connection: { database: "nowhere" } });
    await expect(nowhere.list()).rejects.toMatchObject(auth);
    await server.ask(`ALTER ROLE ${admin.user} CONNECTION LIMIT 0`);
    const full = await openRole(server, admin, config);
    await expect(full.list()).rejects.toMatchObject({ name: "TransientError", code: "issuer_unreachable" });
    await server.ask(`ALTER ROLE ${admin.user} NOLOGIN CONNECTION LIMIT -1`);
    await expect(full.list()).rejects.toMatchObject(auth);
    await Promise.all([wrong, nowhere, full, session].map((each) => each.close()));
  });

  test("missing roles are found, with the SQL that makes them", async () => {
    const { a, b, session, look, owner } = await opened();
    await server.ask(`DROP ROLE ${b}`);
    await expect(
      session.issue({ ...effectOn(`${b}/2`), keep: [], chosen: valueOf(server, b, newSecret()) }),
    ).rejects.toMatchObject({ code: "principal_missing" });
    expect(await foundAndMended(look)).toEqual(["principal_missing"]);
    expect((await issueVersion(session, 2, [`${a}/1`])).handle).toBe(`${b}/2`);
    expect(owner).toBeDefined();
    await session.close();
  });

  test("objects that a login owns are found in every database", async () => {
    const { a, b, owner, session, look } = await opened();
    await server.ask(`CREATE TABLE ${owner}_t (id int); ALTER TABLE ${owner}_t OWNER TO ${b}`, "orders");
    expect((await look())[0]?.mend).toBe(`-- in the database "orders":\nREASSIGN OWNED BY "${b}" TO "${owner}";`);
    expect(await foundAndMended(look)).toEqual(["principal_owns_objects"]);
    await server.ask(`CREATE SCHEMA ${owner}_s AUTHORIZATION ${a}`, "orders");
    expect(await foundAndMended(look)).toEqual(["principal_owns_objects"]);
    await session.close();
  });

  test("what a login may do and its owner role may not is found", async () => {
    const { a, owner, session, look } = await opened();
    await server.ask(
      `CREATE TABLE ${owner}_t (id int); CREATE SEQUENCE ${owner}_q; CREATE SCHEMA "Odd ${owner}";
       CREATE FUNCTION ${owner}_f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION ${owner}_f FROM public;
       GRANT SELECT, INSERT ON TABLE ${owner}_t TO ${a}; GRANT SELECT ON TABLE ${owner}_t TO ${owner};
       GRANT USAGE ON SEQUENCE ${owner}_q TO ${a}; GRANT USAGE ON SCHEMA "Odd ${owner}" TO ${a};
       GRANT EXECUTE ON FUNCTION ${owner}_f TO ${a}; GRANT TEMPORARY ON DATABASE orders TO ${a}; GRANT pg_read_all_data TO ${a};`,
      "orders",
    );
    const [finding] = await look();
    expect(finding?.mend?.split("\n")).toEqual([
      `GRANT EXECUTE ON ROUTINE public.${owner}_f(integer) TO ${owner};`,
      `GRANT INSERT ON TABLE public.${owner}_t TO ${owner};`,
      `GRANT USAGE ON SCHEMA "Odd ${owner}" TO ${owner};`,
      `GRANT USAGE ON SEQUENCE public.${owner}_q TO ${owner};`,
      `GRANT pg_read_all_data TO ${owner};`,
    ]);
    expect(await foundAndMended(look)).toEqual(["principal_mismatch"]);
    await session.close();
  });

  test("settings and attributes that only a superuser may give are found, the others are not", async () => {
    const { a, b, session, look, first } = await opened();
    await server.ask(`ALTER ROLE ${a} SET log_statement = 'ddl'; ALTER ROLE ${a} SET app.tenant = '7'; ALTER ROLE ${a} SET work_mem = '9MB';
      ALTER ROLE ${a} IN DATABASE orders SET log_statement = 'none'; ALTER ROLE ${a} REPLICATION BYPASSRLS`);
    const findings = await look();
    const mends = findings.flatMap(({ mend }) => mend?.split("\n") ?? []);
    expect(mends).toEqual(
      expect.arrayContaining([
        `ALTER ROLE "${b}" SET "log_statement" = 'ddl';`,
        `ALTER ROLE "${b}" SET "app"."tenant" = '7';`,
        `ALTER ROLE "${b}" IN DATABASE "orders" SET "log_statement" = 'none';`,
        `ALTER ROLE "${b}" REPLICATION;`,
        `ALTER ROLE "${b}" BYPASSRLS;`,
      ]),
    );
    expect(mends.join()).not.toContain("work_mem");
    if (server.version < 160_000) {
      // There only a superuser changes a role with REPLICATION at all, so that it is taken away instead.
      await server.ask(`ALTER ROLE ${a} NOREPLICATION`);
    }
    expect(new Set(await foundAndMended(look))).toEqual(new Set(["principal_mismatch"]));
    if (server.version < 160_000) expect(await issueVersion(session, 2, [first.handle])).toBeDefined();
    await session.close();
  });

  test("a pair that is not wired as one is found", async () => {
    const { a, b, owner, session, look } = await opened();
    await server.ask(`ALTER ROLE ${a} RESET role`);
    expect(await foundAndMended(look)).toEqual(["principal_mismatch"]);
    await server.ask(`ALTER ROLE ${a} IN DATABASE orders SET role = '${a}'`);
    expect((await look()).map(({ code }) => code)).toEqual(["principal_mismatch"]);
    await server.ask(`ALTER ROLE ${a} IN DATABASE orders RESET role; GRANT ${b} TO ${owner}`);
    expect(await foundAndMended(look)).toEqual(["principal_mismatch"]);
    await session.close();
  });

  test("slots that are taken, marked by others or still in use are found", async () => {
    const { b, owner, admin, config, session, look, first } = await opened();
    await server.ask(`ALTER ROLE ${b} LOGIN PASSWORD 'by-hand'; GRANT ${owner} TO ${b}`);
    const stranger = await server.openSession(b, "by-hand");
    expect(await look()).toMatchObject([{ code: "no_free_slot", mend: `ALTER ROLE "${b}" NOLOGIN PASSWORD NULL;` }]);
    await server.ask(`ALTER ROLE ${b} NOLOGIN`);
    expect((await look()).map(({ code }) => code)).toEqual(["still_in_use"]);
    await server.ask((await look())[0]?.mend ?? "");
    await stranger.end();
    while ((await look()).length > 0);
    const other = await openRole(server, admin, config, { credential: "crd_2" });
    await issueVersion(other, 2, [first.handle]);
    await other.close();
    const codes = (await look()).map(({ code }) => code);
    expect(codes).toEqual(["handle_taken", "no_free_slot"]);
    await server.ask(`ALTER ROLE ${b} NOLOGIN PASSWORD NULL`);
    expect(await foundAndMended(look)).toEqual(["handle_taken", "no_free_slot"]);
    await session.close();
  });

  test("what the ledger holds as live and the server does not is found", async () => {
    const { a, b, session, look, first } = await opened();
    const second = await issueVersion(session, 2, [first.handle]);
    expect(await look([first.handle, second.handle])).toMatchObject([{ code: "no_free_slot" }]);
    expect((await look([`${b}/3`])).map(({ code }) => code)).toContain("handle_taken");
    await session.revoke(effectOn(first.handle));
    await server.ask(`ALTER ROLE ${b} NOLOGIN`);
    expect(await foundAndMended(() => look([second.handle]))).toEqual(["principal_mismatch"]);
    expect(await server.logsIn(b, passwordOf(second.value))).toBe("accepted");
    expect(a).toBeDefined();
    await session.close();
  });

  test("a database that is not there, or that may not be entered, is found", async () => {
    const { admin, config, owner, session } = await opened();
    const elsewhere = `closed_${owner}`;
    const other = await openRole(server, admin, { ...config, database: elsewhere });
    const look = () => other.preflight({ live: [`${config.logins[0]}/1`], instance: "i", credential: "c" });
    expect((await look()).map(({ code }) => code)).toEqual(["right_missing"]);
    await server.ask(`CREATE DATABASE ${elsewhere}`);
    await server.ask(`REVOKE CONNECT ON DATABASE ${elsewhere} FROM public`);
    expect(await foundAndMended(look)).toEqual(["right_missing", "right_missing"]);
    await Promise.all([session.close(), other.close()]);
  });
});
