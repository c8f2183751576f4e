import type pg from "pg";

/** How many of its own tables the shop keeps before it drops the oldest. */
const batchesKept = 3;

export async function createOrders(client: pg.ClientBase): Promise<void> {
  await client.query(
    "CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL, at timestamptz NOT NULL DEFAULT now())",
  );
}

/** Places one order and reads it back. */
export async function placeOrder(client: pg.ClientBase, item: string): Promise<string> {
  const made = await client.query<{ id: string }>("INSERT INTO orders (item) VALUES ($1) RETURNING id", [item]);
  const id = made.rows[0]?.id ?? "";
  const read = await client.query("SELECT item FROM orders WHERE id = $1", [id]);
  if (read.rowCount !== 1) throw new Error(`Order ${id} was written and cannot be read.`);
  return id;
}

/** The number of the newest migration that has run. */
export async function newestMigration(client: pg.ClientBase): Promise<number> {
  const found = await client.query<{ newest: number | null }>(
    "SELECT max(substring(tablename FROM '^batch_([0-9]+)$')::int) AS newest FROM pg_tables",
  );
  return found.rows[0]?.newest ?? 0;
}

/**
 * What an application's migrations do: create, alter, write, read, drop. Each alters the table that the migration before
 * made, perhaps under the other login: a key that logs in and may do less is found out here.
 */
export async function runMigration(client: pg.ClientBase, number: number): Promise<void> {
  const table = `batch_${number}`;
  await client.query(`CREATE TABLE ${table} (orders bigint NOT NULL)`);
  await client.query(`ALTER TABLE ${table} ADD COLUMN at timestamptz NOT NULL DEFAULT now()`);
  await client.query(`INSERT INTO ${table} (orders) SELECT count(*) FROM orders`);
  await client.query(`SELECT orders, at FROM ${table}`);
  await client.query(
    `ALTER TABLE IF EXISTS batch_${number - 1} ADD COLUMN IF NOT EXISTS closed boolean NOT NULL DEFAULT true`,
  );
  await client.query(`DROP TABLE IF EXISTS batch_${Math.max(0, number - batchesKept)}`);
}
