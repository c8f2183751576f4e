import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { beforeAll, expect, test } from "vitest";
import { startPostgres } from "../../../embedded/postgres.ts";
import {
  makeAdmin,
  makePair,
  newSecret,
  onEachRelease,
  type IssuerServer,
} from "../../../test/harness/postgres-issuer.ts";
import { effectOn, issueVersion, openRole, passwordOf, valueOf } from "../../../test/harness/postgres-role.ts";

const of = { instance: "ins_1", credential: "crd_1" };

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  async function opened() {
    const pair = await makePair(server);
    const [a, b] = pair.logins;
    const session = await openRole(server, pair.admin, { owner: pair.owner, logins: pair.logins, database: "orders" });
    return { ...pair, a, b, session };
  }

  // Composed, decomposed, a ligature and a space that SASLprep maps, and what it prohibits.
  test.each([
    "p\u00e4ssw\u00f6rd",
    "pa\u0308sswo\u0308rd",
    "\ufb01le\u00a0\u2168",
    "soft\u00adhyphen",
    "\u0627\u0031x",
  ])("invariant 10: a password of today beyond ASCII is set again by an undo as it was (%j)", async (odd) => {
    const password = `${odd}${newSecret()}`;
    const { a, session } = await opened();
    await server.ask(`ALTER ROLE ${a} PASSWORD ${pg.escapeLiteral(password)}`);
    const first = { handle: `${a}/1`, value: valueOf(server, a, password) };
    expect(await server.logsIn(a, password)).toBe("accepted");
    expect(await session.preflight({ live: [first.handle], ...of, former: first })).toEqual([]);
    expect(await session.probe(first)).toMatchObject({ verdict: "accepted" });
    await issueVersion(session, 2, [first.handle]);
    await session.disable?.(effectOn(first.handle));
    await server.ask(`ALTER ROLE ${a} PASSWORD '${newSecret()}'`);
    await session.enable?.({ ...effectOn(first.handle), value: first.value });
    expect(await server.logsIn(a, password)).toBe("accepted");
    expect(await session.probe(first)).toMatchObject({ verdict: "accepted" });
    await session.close();
  });

  test("invariant 10: a single slot is cut back to a password beyond ASCII", async () => {
    const login = `solo_${newSecret().slice(0, 8).toLowerCase().replaceAll("-", "_")}`;
    const password = `p\u00e4ss${newSecret()}`;
    const admin = { user: `admin_${login}`, password: newSecret() };
    await server.ask(`CREATE ROLE ${login} LOGIN PASSWORD ${pg.escapeLiteral(password)}`);
    await makeAdmin(server, admin, [login]);
    const session = await openRole(server, admin, { login, database: "orders" });
    const first = { handle: `${login}/1`, value: valueOf(server, login, password) };
    const second = await issueVersion(session, 2, [first.handle]);
    await session.abandon({ ...effectOn(second.handle), operationKey: "key-2", restore: first });
    expect(await server.logsIn(login, password)).toBe("accepted");
    await session.close();
  });

  test("invariant 16: a value of today that could not be set again is found before anything is done", async () => {
    const { a, session } = await opened();
    const first = { handle: `${a}/1`, value: valueOf(server, a, "half a \ud83d") };
    const found = await session.preflight({ live: [first.handle], ...of, former: first });
    expect(found).toMatchObject([{ code: "value_unfit" }]);
    expect(found[0]?.detail).toContain("Version 1 could not be set again by an undo");
    await expect(session.probe(first)).rejects.toMatchObject({ code: "value_unfit" });
    await session.close();
  });

  test("a wiped comment is mended by the statement that is printed, in preflight and by every call", async () => {
    const { a, b, session, password } = await opened();
    const first = { handle: `${a}/1`, value: valueOf(server, a, password) };
    const second = await issueVersion(session, 2, [first.handle]);
    const wipe = () => server.ask(`COMMENT ON ROLE ${b} IS 'the owner''s words'`);
    const printed = (error: unknown) =>
      /^COMMENT ON ROLE [^]*?;$/m.exec((error as { readonly detail?: string }).detail ?? "")?.[0] ?? "none was printed";
    await wipe();
    const live = { live: [first.handle, second.handle], ...of };
    const [found] = (await session.preflight(live)).filter(({ code }) => code === "handle_taken");
    expect(found?.mend).toContain(`COMMENT ON ROLE "${b}" IS`);
    await server.ask(found?.mend ?? "");
    expect((await session.preflight(live)).filter(({ code }) => code === "handle_taken")).toEqual([]);
    const calls = [
      () => session.disable?.(effectOn(second.handle)),
      () => session.enable?.({ ...effectOn(second.handle), value: second.value }),
      () => session.abandon({ ...effectOn(second.handle), operationKey: "key-2" }),
    ];
    for (const call of calls) {
      await wipe();
      const error: unknown = await Promise.resolve(call()).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "handle_taken" });
      expect((error as Error).message).not.toContain("preflight");
      await server.ask(printed(error));
      await call();
    }
    expect(await server.logsIn(b, passwordOf(second.value))).toBe("28P01");
    const [comment] = await server.ask(`SELECT shobj_description('${b}'::regrole, 'pg_authid') AS text`);
    expect(comment?.["text"]).toContain("the owner's words");
    await session.close();
  });

  test("an ended version whose comment was wiped can be proven again by the statement that is printed", async () => {
    const { a, session, password } = await opened();
    const first = { handle: `${a}/1`, value: valueOf(server, a, password) };
    const second = await issueVersion(session, 2, [first.handle]);
    await session.revoke(effectOn(first.handle));
    await server.ask(`COMMENT ON ROLE ${a} IS NULL`);
    const asked = { ...first, control: second.value };
    const { verdict, why } = await session.probe(asked);
    expect(verdict).toBe("unknown");
    await server.ask(/^COMMENT ON ROLE [^]*?;$/m.exec(why ?? "")?.[0] ?? "none was printed");
    expect(await session.probe(asked)).toMatchObject({ verdict: "refused" });
    await session.close();
  });

  test("invariant 3: a candidate whose comment was wiped does not pass for ended", async () => {
    const { a, b, session, password } = await opened();
    const second = await issueVersion(session, 2, [`${a}/1`]);
    await server.ask(`COMMENT ON ROLE ${b} IS NULL`);
    await expect(session.abandon({ ...effectOn(second.handle), operationKey: "key-2" })).rejects.toMatchObject({
      code: "handle_taken",
    });
    expect(await server.logsIn(b, passwordOf(second.value))).toBe("accepted");
    expect(await server.logsIn(a, password)).toBe("accepted");
    await session.close();
  });
});

test("invariant 16: a server of MD5 passwords is found before anything is done, with the statements that mend it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rk-md5-"));
  const superuser = { user: "keeper", password: newSecret() };
  const started = await startPostgres({
    folder,
    superuser: superuser.user,
    password: superuser.password,
    port: 0,
    settings: { password_encryption: "md5" },
    hba: ["host all keeper 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 md5", "local all all scram-sha-256"],
  });
  const at = { host: "127.0.0.1", port: started.port ?? 0 };
  const keeper = new pg.Client({ ...at, ...superuser, database: "postgres" });
  try {
    await keeper.connect();
    const [admin, solo] = [newSecret(), newSecret()];
    await keeper.query(
      `SET password_encryption = 'scram-sha-256'; CREATE ROLE adm LOGIN SUPERUSER PASSWORD '${admin}'`,
    );
    await keeper.query("CREATE DATABASE orders");
    await keeper.query(`SET password_encryption = 'md5'; CREATE ROLE solo LOGIN PASSWORD '${solo}'`);
    const session = await openRole(at, { user: "adm", password: admin }, { login: "solo", database: "orders" });
    const former = { handle: "solo/1", value: valueOf(at, "solo", solo) };
    const look = () => session.preflight({ live: [former.handle], ...of, former });
    const found = await look();
    expect(found.map(({ code }) => code)).toEqual(["transport_unverified", "transport_unverified"]);
    expect(found[1]?.detail).toContain('asks "solo" for MD5');
    expect(await session.probe(former)).toMatchObject({
      verdict: "unknown",
      code: "md5_requested",
      why: expect.stringContaining("password_encryption") as string,
    });
    for (const statement of (found[0]?.mend ?? "").split("\n")) await keeper.query(statement);
    await session.close();
    const again = await openRole(at, { user: "adm", password: admin }, { login: "solo", database: "orders" });
    await keeper.query(`SET password_encryption = 'scram-sha-256'; ALTER ROLE solo PASSWORD '${solo}'`);
    expect(await again.preflight({ live: [former.handle], ...of, former })).toEqual([]);
    expect(await again.probe(former)).toMatchObject({ verdict: "accepted" });
    await again.close();
  } finally {
    await keeper.end();
    await started.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
