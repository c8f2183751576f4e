import pg from "pg";
import { beforeAll, expect, test } from "vitest";
import {
  makeAdmin,
  makePair,
  newSecret,
  onEachRelease,
  type IssuerServer,
} from "../../../test/harness/postgres-issuer.ts";
import { revealField } from "../../contract/value.ts";
import { effectOn, issueVersion, openRole, passwordOf, valueOf } from "../../../test/harness/postgres-role.ts";

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  /** A pair whose first login is version 1, and a session of the provider on it. */
  async function opened(suffix?: string) {
    const pair = await makePair(server, suffix === undefined ? {} : { suffix });
    const [a, b] = pair.logins;
    const config = { owner: pair.owner, logins: pair.logins, database: "orders" };
    const session = await openRole(server, pair.admin, config);
    const first = { handle: `${encodeURIComponent(a)}/1`, value: valueOf(server, a, pair.password) };
    return { ...pair, a, b, config, session, first };
  }

  const settingsOf = async (role: string) =>
    (
      await server.ask(`
        SELECT coalesce(d.datname, '') AS database, s.setconfig FROM pg_db_role_setting s
        LEFT JOIN pg_database d ON d.oid = s.setdatabase
        WHERE s.setrole = ${pg.escapeLiteral(role)}::regrole ORDER BY 1`)
    ).map(({ database, setconfig }) => [database, setconfig]);

  test("a pair is rotated twice; each former version dies and its slot is used again", async () => {
    const { a, b, session, first, owner, password } = await opened();
    expect(await session.preflight({ live: [first.handle], instance: "ins_1", credential: "crd_1" })).toEqual([]);
    const second = await issueVersion(session, 2, [first.handle]);
    expect(second.handle).toBe(`${b}/2`);
    expect(await session.probe(second)).toEqual({
      verdict: "accepted",
      code: "accepted",
      controls: [
        { control: "a random wrong password", answer: "28P01" },
        { control: "the session works as the owner role", answer: "true" },
      ],
    });
    expect([await server.logsIn(a, password), await server.logsIn(b, passwordOf(second.value))]).toEqual([
      "accepted",
      "accepted",
    ]);
    await session.disable?.(effectOn(first.handle));
    expect(await server.logsIn(a, password)).toBe("28000");
    await session.revoke(effectOn(first.handle));
    expect(await server.logsIn(a, password)).toBe("28P01");
    const third = await issueVersion(session, 3, [second.handle]);
    expect(third.handle).toBe(`${a}/3`);
    await session.revoke(effectOn(second.handle));
    expect(await server.logsIn(a, passwordOf(third.value))).toBe("accepted");
    expect(await session.list()).toEqual([
      { handle: `${a}/3`, state: "live", ours: true },
      { handle: `${b}/2`, state: "ended", ours: true },
    ]);
    expect(owner).toBeDefined();
    await session.close();
  });

  test("invariant 1: what one login made the other can use, alter and drop", async () => {
    const { a, b, session, first, owner, password } = await opened();
    await server.ask(`GRANT CREATE ON SCHEMA public TO ${owner}`, "orders");
    const before = await server.openSession(a, password);
    await before.query(`CREATE TABLE ${owner}_one (id int); INSERT INTO ${owner}_one VALUES (1)`);
    const second = await issueVersion(session, 2, [first.handle]);
    const after = await server.openSession(b, passwordOf(second.value));
    expect((await after.query(`SELECT id FROM ${owner}_one`)).rows).toEqual([{ id: 1 }]);
    await after.query(`ALTER TABLE ${owner}_one ADD note text; CREATE TABLE ${owner}_two (id int)`);
    await before.query(`ALTER TABLE ${owner}_two ADD note text; DROP TABLE ${owner}_one`);
    await after.query(`DISCARD ALL`);
    expect((await after.query("SELECT current_user AS me")).rows).toEqual([{ me: owner }]);
    await session.close();
  });

  test("the new login gets the settings, limits and attributes of the one in use", async () => {
    const { a, b, owner, session, first } = await opened();
    await server.ask(
      `
      ALTER ROLE ${a} SET search_path = "$user", 'odd, "one"', public; ALTER ROLE ${a} SET statement_timeout = '7s';
      ALTER ROLE ${a} IN DATABASE orders SET "DateStyle" = 'ISO, DMY'; ALTER ROLE ${a} CONNECTION LIMIT 7;
      ALTER ROLE ${a} NOINHERIT;
      ALTER ROLE ${b} SET work_mem = '1MB'; ALTER ROLE ${b} IN DATABASE trusting SET work_mem = '1MB';
      ALTER ROLE ${b} IN DATABASE orders SET role = 'postgres_nobody'; ALTER ROLE ${b} VALID UNTIL '2001-01-01'`.replace(
        "'postgres_nobody'",
        `'${a}'`,
      ),
    );
    expect(await session.preflight({ live: [first.handle], instance: "i", credential: "c" })).toEqual([]);
    const second = await issueVersion(session, 2, [first.handle]);
    const sorted = (settings: unknown[][]) => settings.map(([where, what]) => [where, [...(what as string[])].sort()]);
    expect(sorted(await settingsOf(b))).toEqual(sorted(await settingsOf(a)));
    expect(await settingsOf(b)).toContainEqual(["orders", ["DateStyle=ISO, DMY"]]);
    const [role] = await server.ask(
      `SELECT rolconnlimit, rolinherit, rolvaliduntil::text FROM pg_roles WHERE rolname = '${b}'`,
    );
    expect(role).toEqual({ rolconnlimit: 7, rolinherit: false, rolvaliduntil: "infinity" });
    expect(await session.probe(second)).toMatchObject({ verdict: "accepted" });
    const shop = await server.openSession(b, passwordOf(second.value));
    const shown = (await shop.query<{ search_path: string }>("SHOW search_path")).rows[0]?.search_path;
    expect(shown).toBe(`"$user", "odd, ""one""", public`);
    expect((await shop.query("SELECT current_user AS me")).rows).toEqual([{ me: owner }]);
    await session.close();
  });

  test("an ordinary login becomes the owner of a pair and its own version 1, and no object changes hands", async () => {
    const mark = newSecret().replaceAll(/\W/g, "").toLowerCase();
    const [owner, a, b] = [`own_${mark}`, `oa_${mark}`, `ob_${mark}`];
    const [admin, password] = [{ user: `adm_${mark}`, password: newSecret() }, newSecret()];
    await server.ask(`
      CREATE ROLE ${owner} LOGIN PASSWORD '${password}'; ALTER ROLE ${owner} SET search_path = ${owner}, public;
      CREATE SCHEMA ${owner} AUTHORIZATION ${owner}; CREATE ROLE ${a} NOLOGIN; CREATE ROLE ${b} NOLOGIN;`);
    await server.ask(`CREATE SCHEMA ${owner} AUTHORIZATION ${owner}`, "orders");
    await makeAdmin(server, admin, [owner, a, b]);
    const old = await server.openSession(owner, password);
    await old.query("CREATE TABLE mine (id int)");
    const session = await openRole(server, admin, { owner, logins: [a, b], database: "orders" });
    const first = { handle: `${owner}/1`, value: valueOf(server, owner, password) };
    expect(await session.preflight({ live: [first.handle], instance: "i", credential: "c" })).toEqual([]);
    const second = await issueVersion(session, 2, [first.handle]);
    expect(second.handle).toBe(`${a}/2`);
    const shop = await server.openSession(a, passwordOf(second.value));
    await shop.query("INSERT INTO mine VALUES (1); ALTER TABLE mine ADD note text");
    await session.disable?.(effectOn(first.handle));
    await session.revoke(effectOn(first.handle));
    expect(await session.probe({ ...first, control: second.value })).toMatchObject({ verdict: "refused" });
    await shop.query("CREATE TABLE more (id int)");
    const third = await issueVersion(session, 3, [second.handle]);
    expect(third.handle).toBe(`${b}/3`);
    const next = await server.openSession(b, passwordOf(third.value));
    await next.query("ALTER TABLE more ADD note text; SELECT * FROM mine");
    const owners = await server.ask(
      `SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = '${owner}'`,
      "orders",
    );
    expect(owners).toEqual([{ tableowner: owner }]);
    await session.close();
  });

  test('invariant 12: roles named we"ird; drop are quoted everywhere, and their comments kept', async () => {
    const odd = `we"ird; drop role 'x' \\ ${newSecret().slice(0, 6)} %2F/ä`;
    const { a, b, session, first, password } = await opened(odd);
    await server.ask(`COMMENT ON ROLE ${pg.escapeIdentifier(b)} IS 'It''s Ann''s; "ask" her \\ first'`);
    expect(await session.preflight({ live: [first.handle], instance: "i", credential: "c" })).toEqual([]);
    const second = await issueVersion(session, 2, [first.handle]);
    expect(second.handle).toBe(`${encodeURIComponent(b)}/2`);
    expect(await session.probe(second)).toMatchObject({ verdict: "accepted" });
    await session.disable?.(effectOn(first.handle));
    await session.enable?.({ ...effectOn(first.handle), value: first.value });
    expect(await server.logsIn(a, password)).toBe("accepted");
    await session.revoke(effectOn(first.handle));
    expect(await session.probe({ ...first, control: second.value })).toMatchObject({ verdict: "refused" });
    const usage = await session.usage?.([first.handle, second.handle]);
    expect(Object.keys(usage?.sessions ?? {})).toEqual([first.handle, second.handle]);
    const [row] = await server.ask(
      `SELECT shobj_description(oid, 'pg_authid') AS c FROM pg_roles WHERE rolname = ${pg.escapeLiteral(b)}`,
    );
    expect(row?.["c"]).toMatch(/^It's Ann's; "ask" her \\ first\nrekey:\{/);
    const client = new pg.Client({ connectionString: revealField(second.value, "url") });
    await client.connect();
    await client.end();
    await session.close();
  });

  test("invariant 8: each call once or three times leaves one state", async () => {
    const { a, b, session, first, password } = await opened();
    const stateOf = async () => {
      const rows = await server.ask(
        `SELECT rolname, rolcanlogin, rolpassword IS NULL AS none, shobj_description(oid, 'pg_authid') AS comment
         FROM pg_authid WHERE rolname IN ('${a}', '${b}') ORDER BY 1`,
      );
      return rows.map(({ comment, ...row }) => ({
        ...row,
        // The claim and the time of a repeat differ, as they should.
        comment: String(comment).replaceAll(/"(?:number|at)":("[^"]*"|\d+)/g, ""),
      }));
    };
    async function thrice(work: () => Promise<unknown>) {
      await work();
      const once = await stateOf();
      await work();
      await work();
      expect(await stateOf()).toEqual(once);
    }
    const chosen = await session.choose?.({ operationKey: "key-2", version: 2, keep: [first.handle] });
    const { handle = "", value = {} } = chosen ?? {};
    const issuing = { handle, operationKey: "key-2", keep: [first.handle], chosen: value };
    await thrice(() => session.issue({ ...issuing, claim: { epoch: 1, number: 1 } }));
    await thrice(() => session.issue({ ...issuing, claim: { epoch: 1, number: 2 } }));
    expect(await server.logsIn(b, passwordOf(value))).toBe("accepted");
    await thrice(() => session.disable?.(effectOn(first.handle)) ?? Promise.reject(new Error("none")));
    await thrice(async () => session.enable?.({ ...effectOn(first.handle), value: first.value }));
    expect(await server.logsIn(a, password)).toBe("accepted");
    await thrice(() => session.abandon(effectOn(handle, { operationKey: "key-2" })));
    expect(await server.logsIn(b, passwordOf(value))).toBe("28P01");
    await thrice(() => session.revoke(effectOn(first.handle)));
    expect(await server.logsIn(a, password)).toBe("28P01");
    await session.close();
  });

  test("a login that somebody revived, or that another credential marked, is no free slot", async () => {
    const { b, session, first, config, admin } = await opened();
    const refused = { name: "OperatorNeededError", code: "no_free_slot" };
    await server.ask(`ALTER ROLE ${b} LOGIN PASSWORD 'by-hand'`);
    await expect(issueVersion(session, 2, [first.handle])).rejects.toMatchObject(refused);
    expect(await session.list()).toContainEqual({ handle: `${b}/1`, state: "live", ours: false });
    await server.ask(`ALTER ROLE ${b} NOLOGIN PASSWORD NULL`);
    const other = await openRole(server, admin, config, { credential: "crd_2" });
    const theirs = await issueVersion(other, 2, [first.handle]);
    await expect(issueVersion(session, 2, [first.handle])).rejects.toMatchObject(refused);
    for (const call of [session.revoke(effectOn(theirs.handle)), session.disable?.(effectOn(theirs.handle))])
      await expect(call).rejects.toMatchObject({ code: "handle_taken" });
    await session.abandon(effectOn(theirs.handle));
    expect(await server.logsIn(b, passwordOf(theirs.value))).toBe("accepted");
    await other.revoke(effectOn(theirs.handle));
    await expect(issueVersion(session, 2, [first.handle]), "ended, and still theirs").rejects.toMatchObject(refused);
    await Promise.all([session.close(), other.close()]);
  });

  test("a version in keep is never touched, not even by its own issue", async () => {
    const { a, session, first } = await opened();
    const second = await issueVersion(session, 2, [first.handle]);
    const keep = [first.handle, second.handle];
    await expect(issueVersion(session, 3, keep)).rejects.toMatchObject({ code: "no_free_slot" });
    const request = { handle: `${a}/3`, operationKey: "key-3", claim: { epoch: 1, number: 1e9 }, keep };
    await expect(session.issue({ ...request, chosen: valueOf(server, a, newSecret()) })).rejects.toMatchObject({
      code: "no_free_slot",
    });
    const other = { ...second.value, password: valueOf(server, a, newSecret())["password"] ?? "" };
    const again = { handle: second.handle, operationKey: "key-2", claim: { epoch: 1, number: 1e9 }, keep };
    await session.issue({ ...again, chosen: other });
    expect(await session.probe(second)).toMatchObject({ verdict: "accepted" });
    await session.close();
  });

  test("invariant 19: the connection's own login is found in preflight and never changed", async () => {
    const { a, b, admin } = await opened();
    const config = { owner: admin.user, logins: [a, b], database: "orders" };
    const session = await openRole(server, admin, config);
    const findings = await session.preflight({ live: [], instance: "i", credential: "c" });
    expect(findings.map(({ code }) => code)).toEqual(["principal_is_connection"]);
    await expect(session.revoke(effectOn(`${admin.user}/1`))).rejects.toMatchObject({
      code: "principal_is_connection",
    });
    await session.close();
  });
});
