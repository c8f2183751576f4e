import { sql, type Kysely } from "kysely";
import {
  findConnections,
  findConsumers,
  findEnvironments,
  findPolicies,
  findTeams,
  readCredentials,
  type ConnectionRow,
  type ConsumerRow,
  type CredentialRow,
  type EnvironmentRow,
  type PolicyRow,
  type TeamRef,
  type TeamRow,
} from "./registry-views.ts";
import { transact, type Ledger } from "./database.ts";
import { findNotices, type NoticeRow } from "./notice-rows.ts";
import { findMetadata, type ObjectMetadata } from "./object-metadata.ts";
import type { Scope } from "../domain/scope.ts";
import { seesCredential } from "./scope.ts";
import type { Tables } from "./tables.ts";

/** Everything that is registered, in no order. */
export interface Registered {
  readonly teams: readonly TeamRow[];
  readonly environments: readonly EnvironmentRow[];
  readonly policies: readonly PolicyRow[];
  readonly connections: readonly ConnectionRow[];
  readonly credentials: readonly CredentialRow[];
  readonly consumers: readonly ConsumerRow[];
  readonly notices: readonly NoticeRow[];
  /** By the object's id. */
  readonly metadata: ReadonlyMap<string, ObjectMetadata>;
}

export interface RegisteredNames {
  readonly teams: readonly string[];
  readonly environments: readonly string[];
  readonly policies: readonly TeamRef[];
  readonly connections: readonly TeamRef[];
  readonly credentials: readonly TeamRef[];
  readonly notices: readonly TeamRef[];
}

/** As it stood at one moment: what refers to something is never there without it. */
export function listRegistered(ledger: Ledger): Promise<Registered> {
  return transact(ledger, async (trx) => {
    await sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`.execute(trx);
    const names = await readAllNames(trx);
    const credentials = await readCredentials(trx, names.credentials);
    const found = {
      teams: await findTeams(trx, names.teams),
      environments: await findEnvironments(trx, names.environments),
      policies: await findPolicies(trx, names.policies),
      connections: await findConnections(trx, names.connections),
      credentials,
      consumers: await findConsumers(trx, { credentials: credentials.map(({ id }) => id) }),
      notices: await findNotices(trx, names.notices),
    };
    const ids = Object.values(found).flatMap((rows) => rows.map(({ id }) => id));
    return { ...found, metadata: await findMetadata(trx, ids) };
  });
}

/** Without what there may be a million of. */
export async function readPlaceNames(db: Kysely<Tables>): Promise<Pick<RegisteredNames, "teams" | "environments">> {
  const { rows } = await sql<Pick<RegisteredNames, "teams" | "environments">>`
    SELECT ARRAY(SELECT name FROM teams WHERE retired_at IS NULL) AS teams,
      ARRAY(SELECT name FROM environments WHERE retired_at IS NULL) AS environments`.execute(db);
  return rows[0] ?? { teams: [], environments: [] };
}

/** `team/name` of every credential that a scope reaches. */
export async function readSeenCredentials(db: Kysely<Tables>, scope: Scope): Promise<readonly TeamRef[]> {
  const { rows } = await sql<TeamRef>`
    SELECT t.name AS team, c.name FROM credentials c JOIN teams t ON t.id = c.team_id
    WHERE c.retired_at IS NULL AND ${seesCredential(scope)}`.execute(db);
  return rows;
}

export async function readAllNames(db: Kysely<Tables>): Promise<RegisteredNames> {
  const { rows } = await sql<RegisteredNames>`
    SELECT
      (SELECT coalesce(jsonb_agg(name), '[]') FROM teams WHERE retired_at IS NULL) AS teams,
      (SELECT coalesce(jsonb_agg(name), '[]') FROM environments WHERE retired_at IS NULL) AS environments,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('team', t.name, 'name', p.name)), '[]')
        FROM policies p JOIN teams t ON t.id = p.team_id WHERE p.retired_at IS NULL) AS policies,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('team', t.name, 'name', n.name)), '[]')
        FROM connections n JOIN teams t ON t.id = n.team_id WHERE n.retired_at IS NULL) AS connections,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('team', t.name, 'name', c.name)), '[]')
        FROM credentials c JOIN teams t ON t.id = c.team_id WHERE c.retired_at IS NULL) AS credentials,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('team', t.name, 'name', k.name)), '[]')
        FROM notices k JOIN teams t ON t.id = k.team_id WHERE k.retired_at IS NULL) AS notices`.execute(db);
  return rows[0] ?? { teams: [], environments: [], policies: [], connections: [], credentials: [], notices: [] };
}
