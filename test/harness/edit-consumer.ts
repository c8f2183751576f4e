import { sql } from "kysely";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConsumer, type StoredConsumer } from "../../ledger/registry.ts";
import type { Registered, RegisteredAt } from "./registered.ts";

export type ConsumerEdit = Partial<Pick<StoredConsumer, "name" | "target" | "config" | "evidence">>;

type At = Pick<RegisteredAt, "ledger">;

/** As `rekey apply` does with an edited manifest. */
export async function editConsumer(at: At, orders: Registered, edit: ConsumerEdit): Promise<void> {
  await store(at, orders, orders.consumerId, edit);
}

/** As `rekey apply` does with a further manifest, whose consumer is like the registered one but for what is given. */
export async function addConsumer(at: At, orders: Registered, edit: ConsumerEdit): Promise<string> {
  const id = newId("consumer");
  await store(at, orders, id, edit);
  return id;
}

async function store({ ledger }: At, orders: Registered, id: string, edit: ConsumerEdit): Promise<void> {
  await transact(ledger, async (trx) => {
    const { rows } = await sql<StoredConsumer>`
      SELECT credential_id AS "credentialId", team_id AS "teamId", name, kind, target, config, evidence
      FROM consumers WHERE id = ${orders.consumerId}`.execute(trx);
    const [row] = rows;
    if (row === undefined) throw new Error("no consumer");
    const isNew = id !== orders.consumerId;
    await storeConsumer(trx, { ...row, ...edit, id }, { actor: "tok_test", isNew, changes: [] });
  });
}

/** The file elsewhere, under the same keys. */
export const fileAt = (path: string) => ({
  target: `file:${path}`,
  config: { path, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
});
