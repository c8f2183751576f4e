import { sql, type Kysely, type RawBuilder } from "kysely";
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

/** Those of the named credentials that a scope reaches. */
export async function readSeenCredentials(
  db: Kysely<Tables>,
  scope: Scope,
  refs: readonly TeamRef[],
): Promise<readonly TeamRef[]> {
  const { rows } = await sql<TeamRef>`
    SELECT DISTINCT g.team, g.name FROM jsonb_to_recordset(${JSON.stringify(refs)}::jsonb) AS g (team text, name text)
    JOIN teams t ON t.name = g.team JOIN credentials c ON c.team_id = t.id AND c.name = g.name
    WHERE c.retired_at IS NULL AND ${seesCredential(scope)}`.execute(db);
  return rows;
}

/** Of so many words that name nothing the neighbours are read, and so many of each: enough for a hint, however many there are. */
const mostWords = 20;
const mostNeighbours = 100;

/**
 * What may have been meant by names that nothing has: the neighbours of each in its team's alphabet, and the same name in
 * other teams. For a team it is what its own alphabet and what it sees of others have near, whichever team it names, so
 * that neither the answer nor its time depends on what others have.
 */
export async function readNeighbours(
  db: Kysely<Tables>,
  kind: "connections" | "credentials",
  refs: readonly TeamRef[],
  scope: Scope,
): Promise<readonly TeamRef[]> {
  if (refs.length === 0) return [];
  const rowsOf = sql`${sql.table(kind)} c JOIN teams t ON t.id = c.team_id AND c.retired_at IS NULL`;
  const ofTeam = scope === "everything" ? sql`t.name = g.team` : sql`t.id = ${scope.teamId}`;
  const { rows } = await sql<TeamRef>`
    SELECT DISTINCT near.team, near.name
    FROM jsonb_to_recordset(${JSON.stringify(refs.slice(0, mostWords))}::jsonb) AS g (team text, name text)
    CROSS JOIN LATERAL (
      (SELECT t.name AS team, c.name FROM ${rowsOf}
        WHERE ${ofTeam} AND c.name >= g.name ORDER BY c.name LIMIT ${mostNeighbours})
      UNION ALL
      (SELECT t.name, c.name FROM ${rowsOf}
        WHERE ${ofTeam} AND c.name < g.name ORDER BY c.name DESC LIMIT ${mostNeighbours})
      UNION ALL
      (SELECT t.name, c.name FROM ${rowsOf} WHERE ${isOfOthers(kind, scope)} ORDER BY t.name, c.name LIMIT ${mostNeighbours})
    ) near ORDER BY 1, 2`.execute(db);
  return rows;
}

function isOfOthers(kind: "connections" | "credentials", scope: Scope): RawBuilder<boolean> {
  if (scope === "everything") return sql`c.name = g.name`;
  if (kind === "connections") return sql`false`;
  const { teamId } = scope;
  return sql`c.id IN (SELECT credential_id FROM consumers WHERE team_id = ${teamId} AND retired_at IS NULL
    UNION SELECT credential_id FROM credential_shares WHERE team_id = ${teamId})`;
}

/** One consumer with its credential, by their names; undefined when it is not registered, or not any more. */
export async function readConsumerName(
  db: Kysely<Tables>,
  id: string,
): Promise<{ readonly named: TeamRef; readonly of: TeamRef } | undefined> {
  const { rows } = await sql<{ named: TeamRef; of: TeamRef }>`
    SELECT jsonb_build_object('team', t.name, 'name', n.name) AS named,
      jsonb_build_object('team', ct.name, 'name', c.name) AS of
    FROM consumers n JOIN teams t ON t.id = n.team_id
    JOIN credentials c ON c.id = n.credential_id AND c.retired_at IS NULL JOIN teams ct ON ct.id = c.team_id
    WHERE n.id = ${id} AND n.retired_at IS NULL`.execute(db);
  return rows[0];
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
