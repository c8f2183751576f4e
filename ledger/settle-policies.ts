import { sql, type RawBuilder, type Transaction } from "kysely";
import { wakeWaiting } from "./far-looks.ts";
import type { Tables } from "./tables.ts";

/**
 * Brings what rules credentials up to what all places say, the narrower one last: environment, team, the policy that the
 * credential names, the credential itself. A running rotation is ruled at once by what became stricter, and by the rest
 * not at all.
 */
export async function settlePolicies(trx: Transaction<Tables>, whose: RawBuilder<boolean>): Promise<void> {
  // In one order, so that two who lock several cannot wait for each other.
  await sql`SELECT FROM credentials c WHERE ${whose} ORDER BY id FOR UPDATE`.execute(trx);
  await sql`
    WITH said AS (
      SELECT c.id, e.policy || t.policy || coalesce(p.policy, '{}') || c.own_policy AS policy
      FROM credentials c JOIN environments e ON e.id = c.environment_id JOIN teams t ON t.id = c.team_id
      LEFT JOIN policies p ON p.id = c.policy_id
      WHERE ${whose} AND c.retired_at IS NULL)
    UPDATE credentials c SET policy = said.policy, revision = c.revision + 1
    FROM said WHERE said.id = c.id AND c.policy <> said.policy`.execute(trx);
  await wakeWaiting(trx, whose);
}
