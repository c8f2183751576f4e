import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConsumer } from "../../ledger/registry.ts";
import type { Registered } from "../harness/registered.ts";
import { startShop, type Shop } from "../harness/shop.ts";
import type { StepBench } from "../harness/step-bench.ts";
import { newMark } from "../harness/world.ts";

export interface SecondShop {
  readonly consumerId: string;
  readonly file: string;
  readonly shop: Shop;
}

/** Another application on the same credential, with a file of its own, as the first one has it today. */
export async function addShop(bench: StepBench, orders: Registered): Promise<SecondShop> {
  const mark = newMark();
  const file = join(bench.folder, "targets", `${mark}.env`);
  const { database, password, logins, credentialId } = orders;
  await writeFile(file, `DB_USER=${logins[0]}\nDB_PASSWORD=${password}\n`, { mode: 0o600 });
  const { host, port } = bench.issuer;
  const applicationName = `second-${mark}`;
  const shop = await startShop({ file, host, port, database, applicationName });
  const consumerId = newId("consumer");
  const { rows } = await sql<{ team_id: string }>`
    SELECT team_id FROM credentials WHERE id = ${credentialId}`.execute(bench.ledger.db);
  await transact(bench.ledger, async (trx) =>
    storeConsumer(
      trx,
      {
        ...{ id: consumerId, credentialId, teamId: rows[0]?.team_id ?? "", name: mark, kind: "file" },
        target: `file:${file}`,
        config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
        evidence: { collectors: { sessions: { database, networks: ["127.0.0.1/32"], applicationName, instances: 1 } } },
      },
      { actor: "tok_test", isNew: true, changes: [] },
    ),
  );
  return { consumerId, file, shop };
}
