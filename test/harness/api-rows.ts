import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { newId } from "../../ledger/new-id.ts";
import type { TestApi } from "./api.ts";
import { everything } from "./manifests.ts";

/** Applies manifests that give no secret. */
export async function register(api: TestApi, text: string): Promise<void> {
  const body = { files: [{ name: "rekey.yaml", text }] };
  const { json } = await api.ask("POST", "/manifests/apply", body);
  const { status, text: said } = await api.ask("POST", "/manifests/apply", { ...body, planDigest: json["digest"] });
  if (status !== 200) throw new Error(said);
}

/** Registers a credential with one consumer by the API and takes it for adopted. `team/name`. */
export async function adopted(
  api: TestApi,
  name = `c${randomBytes(4).toString("hex")}`,
  team = `t${randomBytes(4).toString("hex")}`,
): Promise<string> {
  const text = everything
    .replaceAll("shop", team)
    .replace("name: orders", `name: ${name}`)
    .replace("credential: orders", `credential: ${name}`)
    .replace("/srv/web.env", `/srv/${team}.env`)
    .replace("  secretFrom: given\n", "");
  await register(api, text);
  const { db } = api.deps.ledger;
  await sql`
    UPDATE connections SET identity = id WHERE team_id = (SELECT id FROM teams WHERE name = ${team})`.execute(db);
  await sql`
    WITH adopted AS (
      UPDATE credentials SET current_version = 1, next_version = 2
      WHERE team_id = (SELECT id FROM teams WHERE name = ${team}) RETURNING id, connection_id)
    INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, handle)
    SELECT ${newId("version")}, id, connection_id, 1, 'live', ${newId("version")}, id || '#1' FROM adopted`.execute(db);
  return `${team}/${name}`;
}

export interface TestHold {
  readonly rotation: string;
  readonly holdId: string;
}

/** Puts a rotation where it waits for evidence, held with two gaps, of which the second is its consumer's. */
export async function holdRotations({ deps }: TestApi, rotation: string): Promise<TestHold> {
  const holdId = newId("hold");
  const { rows } = await sql<{ id: string }>`
    SELECT n.id FROM consumers n JOIN rotations r ON r.credential_id = n.credential_id WHERE r.id = ${rotation}`.execute(
    deps.ledger.db,
  );
  const gaps = ["a", "b"].map((who) => ({
    code: "stranger_seen",
    key: `stranger_seen:${who}`,
    text: `psql from ${who}`,
    ...(who === "b" ? { consumerId: rows[0]?.id } : {}),
  }));
  await sql`UPDATE rotations SET phase = 'delivered' WHERE id = ${rotation}`.execute(deps.ledger.db);
  await sql`
    INSERT INTO holds (id, rotation_id, number, phase, code, detail, gaps)
    VALUES (${holdId}, ${rotation}, 1, 'delivered', 'stranger_seen', 'Somebody is there.', ${JSON.stringify(gaps)}::jsonb)
    `.execute(deps.ledger.db);
  return { rotation, holdId };
}
