import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newPassword, startOrdersCluster, type Login, type OrdersCluster } from "./orders-cluster.ts";

const debian15 = "/usr/lib/postgresql/15/bin";
const servers = [
  { name: "the bundled PostgreSQL", binaries: undefined },
  ...(existsSync(debian15) ? [{ name: "PostgreSQL 15", binaries: debian15 }] : []),
];

async function connected(login: Login): Promise<pg.Client> {
  const client = new pg.Client({ ...login });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function ask(login: Login, ...statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = await connected(login);
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) ({ rows } = await client.query<Record<string, unknown>>(statement));
    return rows;
  } finally {
    await client.end();
  }
}

describe.each(servers)("the orders cluster on $name", ({ binaries }) => {
  let folder: string;
  let cluster: OrdersCluster;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rk-"));
    cluster = await startOrdersCluster({ folder, binaries });
  });
  afterAll(async () => {
    await cluster.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("a wrong password is refused, and every stored one is SCRAM", async () => {
    await expect(ask({ ...cluster.today, password: newPassword() }, "SELECT 1")).rejects.toMatchObject({
      code: "28P01",
    });
    const stored = await ask(
      cluster.keeper,
      "SELECT rolname, rolpassword LIKE 'SCRAM-SHA-256$%' AS scram FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1",
    );
    expect(stored).toEqual(["keeper", "orders_a", "rekey_admin"].map((rolname) => ({ rolname, scram: true })));
  });

  test("today's login works as the owner role, and what it makes belongs to that", async () => {
    const rows = await ask(
      cluster.today,
      "CREATE TABLE by_a (n int)",
      "SELECT session_user::text AS login, current_user::text AS works_as, (SELECT tableowner FROM pg_tables WHERE tablename = 'by_a') AS owner",
    );
    expect(rows).toEqual([{ login: "orders_a", works_as: "orders_owner", owner: "orders_owner" }]);
  });

  test("the free slot cannot log in until the admin lets it, and then may do what the first may", async () => {
    const second = { ...cluster.today, user: "orders_b", password: newPassword() };
    await expect(ask(second, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
    await ask(cluster.admin, `ALTER ROLE orders_b LOGIN PASSWORD ${pg.escapeLiteral(second.password)}`);
    await ask(second, "CREATE TABLE by_b (n int)", "ALTER TABLE by_b ADD COLUMN m int", "DROP TABLE by_b");
    await ask(cluster.today, "CREATE TABLE shared (n int)");
    await ask(second, "ALTER TABLE shared ADD COLUMN m int", "DROP TABLE shared");
  });

  test("the admin sees, ends and disables what it manages", async () => {
    const session = await connected(cluster.today);
    const lost = new Promise((resolve) => session.once("end", resolve));
    const seen = await ask(
      cluster.admin,
      "SELECT host(client_addr) AS address, backend_start IS NOT NULL AS dated FROM pg_stat_activity WHERE usename = 'orders_a'",
    );
    expect(seen).toEqual([{ address: "127.0.0.1", dated: true }]);
    await ask(
      cluster.admin,
      "COMMENT ON ROLE orders_a IS 'seen'",
      "ALTER ROLE orders_a NOLOGIN CONNECTION LIMIT 7",
      "ALTER ROLE orders_a SET role = 'orders_owner'",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders_a'",
    );
    await lost;
    await expect(ask(cluster.today, "SELECT 1")).rejects.toMatchObject({ code: "28000" });
    await ask(cluster.admin, "ALTER ROLE orders_a LOGIN CONNECTION LIMIT -1");
    expect(await ask(cluster.today, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("the admin reaches the database and reads nothing in it, nor any password", async () => {
    await ask(cluster.today, "CREATE TABLE IF NOT EXISTS private (n int)");
    const inside = { ...cluster.admin, database: "orders" };
    for (const forbidden of ["SELECT * FROM private", "SELECT rolpassword FROM pg_authid", "SET ROLE orders_owner"])
      await expect(ask(inside, forbidden), forbidden).rejects.toMatchObject({ code: "42501" });
  });
});
