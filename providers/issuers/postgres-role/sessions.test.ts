import { beforeAll, expect, test } from "vitest";
import { makePair, onEachRelease, type IssuerServer } from "../../../test/harness/postgres-issuer.ts";
import { effectOn, issueVersion, openRole, passwordOf, valueOf } from "../../../test/harness/postgres-role.ts";

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  async function opened(connection: Record<string, unknown> = {}) {
    const pair = await makePair(server);
    const [a, b] = pair.logins;
    const config = { owner: pair.owner, logins: pair.logins, database: "orders" };
    const session = await openRole(server, pair.admin, config, { connection });
    const first = { handle: `${a}/1`, value: valueOf(server, a, pair.password) };
    return { ...pair, a, b, config, session, first };
  }

  test("usage names each session of the login, whatever role it works as and whatever it calls itself", async () => {
    const { a, session, first, password } = await opened();
    const shop = await server.openSession(a, password);
    await server.openSession(a, password, { name: "rekey", database: "trusting" });
    await shop.query("SET ROLE none");
    const usage = await session.usage?.([first.handle]);
    const seen = usage?.sessions[first.handle] ?? [];
    expect(seen.map(({ startedAt: _, ...rest }) => rest)).toEqual(
      expect.arrayContaining([
        { principal: a, database: "orders", address: "127.0.0.1", applicationName: "shop" },
        { principal: a, database: "trusting", address: "127.0.0.1", applicationName: "rekey" },
      ]),
    );
    expect(seen).toHaveLength(2);
    const [clock] = await server.ask("SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms");
    const now = Number(clock?.["ms"]);
    for (const time of [usage?.at ?? "", ...seen.map(({ startedAt }) => startedAt)]) {
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Date.parse(time)).toBeLessThanOrEqual(now);
    }
    await session.close();
  });

  test("a session over the Unix socket is local, and rekey itself may come that way", async () => {
    const { a, session, first, password } = await opened({ host: server.socketFolder });
    const { Client } = (await import("pg")).default;
    const client = new Client({ host: server.socketFolder, port: server.port, user: a, password, database: "orders" });
    await client.connect();
    expect((await session.usage?.([first.handle]))?.sessions[first.handle]).toMatchObject([{ address: "local" }]);
    expect(await session.probe(first)).toMatchObject({ verdict: "accepted" });
    await client.end();
    await session.close();
  });

  test("probes of this and of other sessions are left out, however they fall together", async () => {
    const { session, first, admin, config } = await opened();
    const other = await openRole(server, admin, config);
    await other.identify();
    for (let round = 0; round < 5; round++) {
      const probes = [session, other, other].map((each) => each.probe(first));
      const looks = await Promise.all([session.usage?.([first.handle]), other.usage?.([first.handle])]);
      await Promise.all(probes);
      expect(looks.map((look) => look?.sessions[first.handle])).toEqual([[], []]);
    }
    await Promise.all([session.close(), other.close()]);
  });

  test("invariant 5: sessions of a former version in a slot are told from those of the one in it now", async () => {
    const { a, session, first, password } = await opened();
    const second = await issueVersion(session, 2, [first.handle]);
    // Ended by hand, with its sessions left open, as after a death that a person accepted without proof.
    const shop = await server.openSession(a, password);
    await session.disable?.(effectOn(first.handle));
    const third = await issueVersion(session, 3, [second.handle]);
    expect(third.handle).toBe(`${a}/3`);
    const current = await server.openSession(a, passwordOf(third.value), { name: "new" });
    const usage = await session.usage?.([first.handle, third.handle]);
    expect(usage?.sessions[first.handle]?.map(({ applicationName }) => applicationName)).toEqual(["shop"]);
    expect(usage?.sessions[third.handle]).toHaveLength(2);
    expect(await session.endSessions?.(effectOn(first.handle))).toEqual({ ended: 1, remaining: 0 });
    await expect(shop.query("SELECT 1")).rejects.toThrow();
    expect((await current.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await session.close();
  });

  test("what is open is ended at revocation, whatever the sessions do, and counted when it stays", async () => {
    const { a, session, first, password } = await opened();
    const sessions = await Promise.all([1, 2, 3].map(() => server.openSession(a, password)));
    const busy = sessions[0]?.query("SELECT pg_sleep(600)").catch((error: Error) => error.message);
    await sessions[1]?.query("BEGIN; CREATE TEMP TABLE t (id int)");
    await session.revoke(effectOn(first.handle));
    expect(await busy).toMatch(/terminat/);
    expect(await session.endSessions?.(effectOn(first.handle))).toEqual({ ended: 0, remaining: 0 });
    expect(await server.ask(`SELECT 1 FROM pg_stat_activity WHERE usename = '${a}'`)).toEqual([]);
    await session.close();
  });

  test("a role that was dropped has no sessions and nothing to revoke, but cannot be enabled", async () => {
    const { a, session, first } = await opened();
    await server.ask(`DROP ROLE ${a}`);
    await session.revoke(effectOn(first.handle));
    expect(await session.endSessions?.(effectOn(first.handle))).toEqual({ ended: 0, remaining: 0 });
    expect((await session.usage?.([first.handle]))?.sessions).toEqual({ [first.handle]: [] });
    await expect(session.enable?.({ ...effectOn(first.handle), value: first.value })).rejects.toMatchObject({
      code: "principal_missing",
    });
    await session.close();
  });

  test("calls after the session was closed, or after the worker was told to stop, have no effect", async () => {
    const { b, first, admin, config, session } = await opened();
    const cancel = new AbortController();
    const stopped = await openRole(server, admin, config, { signal: cancel.signal });
    await stopped.identify();
    cancel.abort();
    await expect(issueVersion(stopped, 2, [first.handle])).rejects.toMatchObject({ code: "issuer_unreachable" });
    await stopped.close();
    await session.close();
    await expect(issueVersion(session, 2, [first.handle])).rejects.toMatchObject({ code: "issuer_unreachable" });
    const [row] = await server.ask(`SELECT rolcanlogin FROM pg_roles WHERE rolname = '${b}'`);
    expect(row).toEqual({ rolcanlogin: false });
  });

  test("an admin session that the server ended fails its call as passing trouble, and a new one goes on", async () => {
    const { first, admin, config, session } = await opened();
    await session.identify();
    await server.ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${admin.user}'`);
    await expect(session.list()).rejects.toMatchObject({ name: "TransientError", code: "issuer_unreachable" });
    const next = await openRole(server, admin, config);
    expect(await next.list()).toMatchObject([{ handle: first.handle }]);
    await Promise.all([session.close(), next.close()]);
  });
});
