import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres, type RunningPostgres } from "../../../embedded/postgres.ts";
import { openRole } from "../../../test/harness/postgres-role.ts";

let folder: string;
let server: RunningPostgres;
const password = randomBytes(16).toString("hex");
const admin = { user: "keeper", password };
const start = () => startPostgres({ folder, port: 0, superuser: admin.user, password });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-"));
  server = await start();
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("a server in recovery is refused before anything is asked of it", async () => {
  const address = () => ({ host: "127.0.0.1", port: server.port ?? 0 });
  const config = { login: "orders", database: "postgres" };
  const primary = await openRole(address(), admin, config);
  const identity = await primary.identify();
  const named = await openRole(address(), admin, config, { connection: { clone: "copy of May" } });
  expect(await named.identify()).toBe(`${identity}:copy%20of%20May`);
  await Promise.all([primary.close(), named.close()]);

  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory");
  await client.end();
  await server.stop();
  // What makes a restored copy a replica. https://www.postgresql.org/docs/18/warm-standby.html
  await writeFile(join(rows[0]?.data_directory ?? "", "standby.signal"), "");
  server = await start();
  const replica = await openRole(address(), admin, config);
  const refused = { name: "OperatorNeededError", code: "issuer_in_recovery" };
  await expect(replica.identify()).rejects.toMatchObject(refused);
  await expect(replica.preflight({ live: [], instance: "i", credential: "c" })).rejects.toMatchObject(refused);
  await replica.close();
});
