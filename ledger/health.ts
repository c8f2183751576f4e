import { sql } from "kysely";
import { asUnreachable, type Ledger } from "./database.ts";

/** @throws {TransientError} `ledger_unreachable` when PostgreSQL does not answer. */
export async function assertLedgerThere({ db }: Ledger): Promise<void> {
  await sql`SELECT`.execute(db).catch((error: unknown) => {
    throw asUnreachable(error) ?? error;
  });
}

/** The id of this installation, as the ledger has it. */
export async function readInstance({ db }: Ledger): Promise<string> {
  const { rows } = await sql<{ id: string }>`SELECT id FROM instance`.execute(db);
  return rows[0]?.id ?? "";
}

/** Whether a key has signed this ledger's trail: then no other key may take its place by accident. */
export async function hasSignedHeads({ db }: Ledger): Promise<boolean> {
  const { rows } = await sql<{ any: boolean }>`SELECT EXISTS (SELECT FROM audit_heads) AS any`.execute(db);
  return rows[0]?.any === true;
}
