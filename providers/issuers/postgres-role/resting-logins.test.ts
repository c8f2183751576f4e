import { beforeAll, expect, test, vi } from "vitest";
import { makePair, newSecret, onEachRelease, type IssuerServer } from "../../../test/harness/postgres-issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { openAdmin } from "./admin.ts";
import { connectionSchema } from "./config.ts";
import { openRole } from "../../../test/harness/postgres-role.ts";

onEachRelease((get) => {
  let server: IssuerServer;
  beforeAll(() => {
    server = get();
  });

  async function pair() {
    const { owner, logins, admin } = await makePair(server);
    const config = { owner, logins, database: "orders" };
    const open = async (signal?: AbortSignal, password = admin.password) =>
      openRole(server, { ...admin, password }, config, signal === undefined ? {} : { signal });
    const pids = async () => {
      const rows = await server.ask(`SELECT pid FROM pg_stat_activity WHERE usename = '${admin.user}' ORDER BY 1`);
      return rows.map(({ pid }) => Number(pid));
    };
    return { admin, open, pids };
  }

  test("the connection's login is used again by the next session, whoever's it is", async () => {
    const { open, pids } = await pair();
    const first = await open();
    const identity = await first.identify();
    const before = await pids();
    await first.close();
    const second = await open();
    expect(await second.identify()).toBe(identity);
    expect([before.length, await pids()]).toEqual([1, before]);
    await second.close();
    await expect.poll(pids, { timeout: 20_000 }).toEqual([]);
  });

  test("two at one time have each their own", async () => {
    const { open, pids } = await pair();
    const sessions = [await open(), await open()];
    for (const session of sessions) await session.identify();
    expect(await pids()).toHaveLength(2);
    for (const session of sessions) await session.close();
  });

  test("who gives another password than it has does not get it", async () => {
    const { open } = await pair();
    const first = await open();
    await first.identify();
    await first.close();
    await expect((await open(undefined, newSecret())).identify()).rejects.toMatchObject({ code: "issuer_auth_failed" });
  });

  test("one whose work was cut short is dropped, and so is one that the server has ended; the next logs in anew", async () => {
    const { open, pids } = await pair();
    const stop = new AbortController();
    const cut = await open(stop.signal);
    await cut.identify();
    stop.abort();
    await cut.close();
    await expect.poll(pids).toEqual([]);
    const rested = await open();
    await rested.identify();
    const [pid] = await pids();
    await rested.close();
    await server.ask(`SELECT pg_terminate_backend(${pid})`);
    const next = await open();
    await next.identify();
    expect(await pids()).not.toContain(pid);
    await next.close();
  });

  test("it is made anew after a while, however often it is used: a password that was changed is noticed", async () => {
    const { admin, open, pids } = await pair();
    const first = await open();
    await first.identify();
    const [pid] = await pids();
    await first.close();
    await server.ask(`ALTER ROLE ${admin.user} PASSWORD '${newSecret()}'`);
    const second = await open();
    await second.identify();
    expect(await pids()).toEqual([pid]);
    const now = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => now() + 2_001);
    await second.close();
    vi.restoreAllMocks();
    const third = await open();
    await expect(third.identify()).rejects.toMatchObject({ code: "issuer_auth_failed" });
    await third.close();
  });

  test("nothing of one session is left for the next", async () => {
    const { admin } = await pair();
    const { host, port } = server;
    const connection = connectionSchema.parse({ host, port, database: "orders", user: admin.user });
    const open = () => openAdmin(connection, new Secret(admin.password), { signal: new AbortController().signal });
    const left = `SELECT pg_backend_pid() AS pid, current_setting('work_mem') AS mem, current_user::text AS me,
      (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
      (SELECT count(*)::int FROM pg_cursors WHERE is_holdable) AS cursors,
      (SELECT count(*)::int FROM pg_listening_channels()) AS channels, to_regclass('left_over') IS NULL AS clean`;
    const first = open();
    const before = await first.work("looking", async ({ ask }) => ask(left));
    await first.work("leaving", async ({ run }) =>
      run(`SET work_mem = '1MB'; SELECT pg_advisory_lock(7); LISTEN others; CREATE TEMP TABLE left_over (i int);
        DECLARE held CURSOR WITH HOLD FOR SELECT 1`),
    );
    expect(await first.work("looking", async ({ ask }) => ask(left))).not.toEqual(before);
    await first.close();
    const second = open();
    expect(await second.work("looking", async ({ ask }) => ask(left))).toEqual(before);
    await second.close();
  });
});
