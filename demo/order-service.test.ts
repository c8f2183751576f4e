import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startChild, type Child, type ChildEvent } from "./child.ts";
import { readStats, startCustomer, startLoad, type Load } from "./load.ts";
import { readLogin, writeLogin } from "./login-file.ts";
import { newPassword, runStatements, startOrdersCluster, type Login, type OrdersCluster } from "./orders-cluster.ts";

let folder: string;
let cluster: OrdersCluster;
let file: string;
let service: Child;
let address: string;
let load: Load;
let forgotten: Child | undefined;
let events: ChildEvent[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-"));
  cluster = await startOrdersCluster({ folder: join(folder, "pg") });
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

async function begin(...more: readonly string[]): Promise<void> {
  file = join(folder, "service.env");
  await runStatements(cluster.keeper, [setPassword(cluster.today), "ALTER ROLE orders_b NOLOGIN PASSWORD NULL"]);
  await runStatements({ ...cluster.keeper, database: "orders" }, ["DROP OWNED BY orders_owner"]).catch(() => undefined);
  await writeLogin(file, cluster.today);
  events = [];
  service = startChild("order-service", ["--file", file, "--migrate-every", "50", ...more], (e) => events.push(e));
  address = `http://127.0.0.1:${String((await service.until("listening"))["port"])}`;
  load = startLoad(address);
}

beforeEach(() => (forgotten = undefined));
afterEach(async () => {
  await load.stop();
  await service.stop();
  await forgotten?.stop();
});

const setPassword = (login: Login): string =>
  `ALTER ROLE ${login.user} LOGIN PASSWORD ${pg.escapeLiteral(login.password)}`;

/** Asks until it is so; the test's own time limit ends it otherwise. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(20);
}

const more = async (orders: number): Promise<void> => {
  const goal = load.placed() + orders;
  await until(() => Promise.resolve(load.placed() >= goal));
};

async function sessionsOf(user: string): Promise<number> {
  const client = new pg.Client({ ...cluster.keeper });
  await client.connect();
  try {
    const text = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1";
    return (await client.query<{ n: number }>(text, [user])).rows[0]?.n ?? -1;
  } finally {
    await client.end();
  }
}

/** What rekey does, by hand. */
async function issue(): Promise<Login> {
  const next: Login = { ...cluster.today, user: "orders_b", password: newPassword() };
  await runStatements(cluster.admin, [setPassword(next)]);
  await writeLogin(file, next);
  return next;
}

const endOld = (): Promise<void> =>
  runStatements(cluster.admin, [
    "ALTER ROLE orders_a NOLOGIN PASSWORD NULL",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders_a'",
  ]);

test("invariant 1: a reload under load fails no statement and no migration, and leaves no session on the old login", async () => {
  // One session, and several who always want one more order: some wait for it when the pools change.
  await begin("--sessions", "1");
  const crowd = Array.from({ length: 6 }, () => startCustomer(address));
  await more(20);
  await issue();
  await until(async () => (await readStats(address)).user === "orders_b");
  await until(async () => (await sessionsOf("orders_a")) === 0);
  await endOld();
  const { migrations } = await readStats(address);
  await more(20);
  await until(async () => (await readStats(address)).migrations > migrations + 4);
  expect(await readStats(address)).toMatchObject({ reloads: 1, lostSessions: 0, user: "orders_b" });
  const all = [load, ...crowd];
  await Promise.all(all.map((each) => each.stop()));
  for (const each of all) expect(await each.counts()).toMatchObject({ failedStatements: 0, refusedLogins: 0 });
  expect((await readStats(address)).ordersPlaced).toBe(all.reduce((sum, each) => sum + each.placed(), 0));
});

test("a stubborn service stays on the old login until it is told otherwise", async () => {
  await begin("--stubborn", "--poll-every", "20");
  await issue();
  await more(20);
  expect(await readStats(address)).toMatchObject({ user: "orders_a", reloads: 0 });
  await fetch(`${address}/stubborn`, { method: "DELETE" });
  await until(async () => (await readStats(address)).user === "orders_b");
});

test("a login that ends under the service is counted, so that the counters can fail", async () => {
  await begin("--stubborn");
  await more(5);
  await endOld();
  await until(async () => (await load.counts()).refusedLogins > 0);
  expect((await load.counts()).failedStatements).toBeGreaterThan(0);
});

test("a file that names a refused login is counted and changes nothing", async () => {
  await begin("--poll-every", "20");
  await writeLogin(file, { ...cluster.today, password: newPassword() });
  await until(async () => (await load.counts()).refusedLogins > 0);
  await more(5);
  expect(await load.counts()).toMatchObject({ failedStatements: 0 });
  await writeLogin(file, cluster.today);
});

test("a forgotten session survives the end of its login's password, and says so when it is ended", async () => {
  await begin();
  forgotten = startChild("forgotten-session", ["--file", file, "--every", "20"]);
  expect(await forgotten.until("session_open")).toMatchObject({ user: "orders_a" });
  await issue();
  await until(async () => (await readStats(address)).user === "orders_b");
  await runStatements(cluster.admin, ["ALTER ROLE orders_a NOLOGIN PASSWORD NULL"]);
  await until(async () => (await sessionsOf("orders_a")) === 1);
  await endOld();
  expect(await forgotten.until("session_ended")).toMatchObject({ code: "57P01" });
});

test("invariant 6: nothing that the service says holds the password", async () => {
  await begin("--poll-every", "20");
  const wrong = { ...cluster.today, password: newPassword() };
  await writeLogin(file, wrong);
  await until(() => Promise.resolve(events.some(({ event }) => event === "reload_failed")));
  const said = JSON.stringify([events, await readStats(address)]);
  expect(said).toContain("28P01");
  for (const { password } of [wrong, await readLogin(file), cluster.today]) expect(said).not.toContain(password);
});
