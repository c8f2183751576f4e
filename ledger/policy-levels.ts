import { sql, type Kysely } from "kysely";
import type { PolicyLevel } from "../domain/explain-policy.ts";
import type { GivenPolicy } from "../domain/policy.ts";
import type { Tables } from "./tables.ts";

interface Row {
  readonly ref: string;
  readonly own: GivenPolicy;
  readonly named: string | null;
  readonly namedPolicy: GivenPolicy | null;
  readonly team: string;
  readonly teamPolicy: GivenPolicy;
  readonly environment: string;
  readonly environmentPolicy: GivenPolicy;
}

/** What every place says of the policy that rules a credential, the narrowest first. */
export async function readPolicyLevels(db: Kysely<Tables>, credentialId: string): Promise<readonly PolicyLevel[]> {
  const { rows } = await sql<Row>`
    SELECT t.name || '/' || c.name AS ref, c.own_policy AS own, pt.name || '/' || p.name AS named,
      p.policy AS "namedPolicy", t.name AS team, t.policy AS "teamPolicy", e.name AS environment,
      e.policy AS "environmentPolicy"
    FROM credentials c JOIN teams t ON t.id = c.team_id JOIN environments e ON e.id = c.environment_id
    LEFT JOIN policies p ON p.id = c.policy_id LEFT JOIN teams pt ON pt.id = p.team_id
    WHERE c.id = ${credentialId}`.execute(db);
  return rows.flatMap((row) => [
    { from: `credential ${row.ref}`, policy: row.own },
    ...(row.namedPolicy === null ? [] : [{ from: `policy ${row.named}`, policy: row.namedPolicy }]),
    { from: `team ${row.team}`, policy: row.teamPolicy },
    { from: `environment ${row.environment}`, policy: row.environmentPolicy },
  ]);
}

/** What rules one credential, place by place. */
export interface Ruled {
  /** `team/name` */
  readonly ref: string;
  readonly own: GivenPolicy;
  readonly team: string;
  readonly teamPolicy: GivenPolicy;
  readonly environment: string;
  readonly environmentPolicy: GivenPolicy;
  /** `team/name` of the policy that it names, and what that says. */
  readonly policyRef: string | null;
  readonly named: GivenPolicy | null;
}

/** The credentials that any of these places rules, by their names. */
export async function readRuled(
  db: Kysely<Tables>,
  by: {
    readonly teams: readonly string[];
    readonly environments: readonly string[];
    readonly policies: readonly string[];
  },
): Promise<readonly Ruled[]> {
  const { rows } = await sql<Ruled>`
    SELECT t.name || '/' || c.name AS ref, c.own_policy AS own, t.name AS team, t.policy AS "teamPolicy",
      e.name AS environment, e.policy AS "environmentPolicy", pt.name || '/' || p.name AS "policyRef", p.policy AS named
    FROM credentials c JOIN teams t ON t.id = c.team_id JOIN environments e ON e.id = c.environment_id
    LEFT JOIN policies p ON p.id = c.policy_id LEFT JOIN teams pt ON pt.id = p.team_id
    WHERE c.retired_at IS NULL AND (t.name = ANY(${[...by.teams]}) OR e.name = ANY(${[...by.environments]})
      OR pt.name || '/' || p.name = ANY(${[...by.policies]}))
    ORDER BY 1`.execute(db);
  return rows;
}
