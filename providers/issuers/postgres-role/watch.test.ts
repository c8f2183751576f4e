import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { makePair, onEachRelease, type IssuerServer } from "../../../test/harness/postgres-issuer.ts";
import { openRole, valueOf } from "../../../test/harness/postgres-role.ts";
import { watchedStayMs } from "./watch.ts";

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
    return { ...pair, a, b, session, handle: `${a}/1`, value: valueOf(server, a, pair.password) };
  }

  /** Comes, stays for no longer than what a watch is said to see, and goes. */
  async function visit(user: string, password: string, name: string): Promise<void> {
    const client = await server.openSession(user, password, { name });
    await pause(watchedStayMs);
    await client.end();
  }

  const namesOn = (
    usage: Awaited<ReturnType<NonNullable<Awaited<ReturnType<typeof opened>>["session"]["watch"]>>> | undefined,
    handle: string,
  ) => (usage?.sessions[handle] ?? []).map(({ applicationName }) => applicationName).toSorted();

  test("a watch tells of each who came for a moment, once, with who that was; a look tells of none", async () => {
    const { a, password, session, handle } = await opened();
    const watching = session.watch?.([handle], { forMs: 3_000, backMs: 0 });
    for (let at = 0; at < 10; at += 1) {
      await pause(Math.random() * 60);
      await visit(a, password, `visit ${at}`);
    }
    const usage = await watching;
    expect(namesOn(usage, handle)).toEqual(Array.from({ length: 10 }, (_, at) => `visit ${at}`));
    expect(usage?.sessions[handle]?.[0]).toMatchObject({ principal: a, database: "orders", address: "127.0.0.1" });
    expect(namesOn(await session.usage?.([handle]), handle)).toEqual([]);
    await session.close();
  });

  test("two watches in a row leave no hole between them, and who asks for nothing of before hears nothing of it", async () => {
    const { a, password, session, handle } = await opened();
    await session.watch?.([handle], { forMs: 100, backMs: 0 });
    await visit(a, password, "between");
    expect(namesOn(await session.watch?.([handle], { forMs: 0, backMs: 0 }), handle)).toEqual([]);
    expect(namesOn(await session.watch?.([handle], { forMs: 100, backMs: 60_000 }), handle)).toEqual(["between"]);
    await session.close();
  });

  test("who stays is told once, and rekey's own logins are left out", async () => {
    const { a, password, session, handle, value } = await opened();
    const client = await server.openSession(a, password, { name: "stays" });
    const watching = session.watch?.([handle], { forMs: 1_500, backMs: 0 });
    const probes = await Promise.all([1, 2, 3].map(async () => session.probe({ handle, value })));
    expect(probes.map(({ verdict }) => verdict)).toEqual(["accepted", "accepted", "accepted"]);
    expect(namesOn(await watching, handle)).toEqual(["stays"]);
    await client.end();
    await session.close();
  });

  test("however many watch one server, it looks once for all of them, and each hears of its own login alone", async () => {
    const all = [await opened(), await opened(), await opened()];
    // Their connections' logins are others here: one is used by all, as rotations at one server do.
    const [first] = all;
    if (first === undefined) throw new Error("none was opened");
    const sessions = await Promise.all(
      all.map(async ({ owner, logins }) => openRole(server, server.superuser, { owner, logins, database: "orders" })),
    );
    const watches = sessions.map(async (session, at) =>
      session.watch?.([all[at]?.handle ?? ""], { forMs: 1_500, backMs: 0 }),
    );
    await pause(300);
    const [row] = await server.ask(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%pg_stat_clear_snapshot%' AND pid <> pg_backend_pid() AND usename = current_user",
    );
    await visit(first.a, first.password, "one");
    const heard = (await Promise.all(watches)).map((usage, at) => namesOn(usage, all[at]?.handle ?? ""));
    expect([row?.["n"], heard]).toEqual([1, [["one"], [], []]]);
    await Promise.all([...sessions, ...all.map(({ session }) => session)].map(async (session) => session.close()));
  });

  test("it ends by itself soon after nobody watches any more", async () => {
    const { session, handle, admin } = await opened();
    await session.watch?.([handle], { forMs: 50, backMs: 0 });
    await session.close();
    const count = async () => {
      const [row] = await server.ask(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = '${admin.user}'`);
      return row?.["n"];
    };
    expect(await count()).toBeGreaterThan(0);
    while ((await count()) !== 0) await pause(100);
  });

  test("a connection that may not see the sessions of others says so, as a look does", async () => {
    const { session, handle, admin } = await opened();
    await server.ask(`REVOKE pg_monitor FROM ${admin.user}; REVOKE pg_read_all_stats FROM ${admin.user}`);
    await expect(session.watch?.([handle], { forMs: 50, backMs: 0 })).rejects.toMatchObject({ code: "right_missing" });
    await session.close();
  });
});
