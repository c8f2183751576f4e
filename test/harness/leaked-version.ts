import { sql } from "kysely";
import { Secret } from "../../providers/contract/secret.ts";
import type { TestApi } from "./api.ts";

/** Sets what a version of the credential is recognised by. Makes the version if it is not there. */
export async function setVersion(
  api: TestApi,
  ref: string,
  number: number,
  secret: string,
  state = "live",
): Promise<void> {
  const fingerprint = api.deps.fingerprints.of(new Secret(secret));
  const [team = "", name = ""] = ref.split("/");
  await sql`
    INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, fingerprint, ended_at)
    SELECT 'ver_' || c.id || ${number}::text, c.id, c.connection_id, ${number}, ${state}, c.id || ${number}::text,
      ${fingerprint}, CASE WHEN ${state} IN ('ended', 'proven-dead') THEN clock_timestamp() END
    FROM credentials c JOIN teams t ON t.id = c.team_id WHERE c.name = ${name} AND t.name = ${team}
    ON CONFLICT (credential_id, number) DO UPDATE SET fingerprint = excluded.fingerprint, state = excluded.state`.execute(
    api.deps.ledger.db,
  );
}
