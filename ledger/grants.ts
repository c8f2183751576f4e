import { sql, type RawBuilder, type Transaction } from "kysely";
import type { GrantState } from "../domain/grant.ts";
import type { Scope } from "../domain/scope.ts";
import { recordEvent, recordEvents } from "./audit.ts";
import { newId } from "./new-id.ts";
import { askedForGrant, ownsCredential, seesGrant } from "./scope.ts";
import type { Tables } from "./tables.ts";

type Trx = Transaction<Tables>;

export interface GrantRequest {
  readonly credentialId: string;
  readonly teamId: string;
  /** The consumer's name within its team. */
  readonly consumer: string;
  readonly byTeam: boolean;
  readonly isPlaceAllowed: boolean;
  readonly manifest: unknown;
  readonly content: unknown;
  readonly digest: string;
  readonly actor: string;
}

/** `isNew` false: exactly this waits already. Another request for the same consumer is outdated by the newer one. */
export async function storeGrant(
  trx: Trx,
  request: GrantRequest,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const { credentialId, teamId, consumer, digest, actor } = request;
  const { rows } = await sql<{ id: string; digest: string }>`
    SELECT id, digest FROM grants WHERE credential_id = ${credentialId} AND team_id = ${teamId}
      AND consumer = ${consumer} AND state = 'pending' FOR UPDATE`.execute(trx);
  const [waiting] = rows;
  if (waiting?.digest === digest) return { id: waiting.id, isNew: false };
  const id = newId("grant");
  if (waiting !== undefined)
    await outdateGrants(trx, sql`g.id = ${waiting.id}`, `A newer request took its place: ${id}.`, actor);
  await sql`
    INSERT INTO grants (id, credential_id, team_id, consumer, by_team, is_place_allowed, manifest, content, digest,
      requested_by)
    VALUES (${id}, ${credentialId}, ${teamId}, ${consumer}, ${request.byTeam}, ${request.isPlaceAllowed},
      ${JSON.stringify(request.manifest)}::jsonb, ${JSON.stringify(request.content)}::jsonb, ${digest}, ${actor})
    `.execute(trx);
  await recordEvent(trx, {
    actor,
    action: "grant.requested",
    credentialId,
    details: { grant: id, team: teamId, consumer, digest },
  });
  return { id, isNew: true };
}

export async function countPending(trx: Trx, teamId: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*) AS n FROM grants WHERE team_id = ${teamId} AND state = 'pending'`.execute(trx);
  return rows[0]?.n ?? 0;
}

/** What an answer to a grant is decided on. */
export interface LockedGrant {
  readonly id: string;
  readonly credentialId: string;
  readonly teamId: string;
  readonly team: string;
  readonly byTeam: boolean;
  readonly isPlaceAllowed: boolean;
  readonly manifest: unknown;
  readonly digest: string;
  readonly requestedBy: string;
  readonly state: GrantState;
  readonly isOwner: boolean;
  readonly isRequester: boolean;
  readonly isAskerRevoked: boolean;
}

/** Of two answers at once the second reads what the first has made of it. Undefined: the caller sees no such grant. */
export async function lockGrant(trx: Trx, scope: Scope, id: string): Promise<LockedGrant | undefined> {
  // What a team does not see it does not wait for either.
  const seen = await sql`
    SELECT g.id FROM grants g JOIN credentials c ON c.id = g.credential_id
    WHERE g.id = ${id} AND ${seesGrant(scope)} FOR UPDATE OF g`.execute(trx);
  if (seen.rows.length === 0) return undefined;
  const { rows } = await sql<LockedGrant>`
    SELECT g.id, g.credential_id AS "credentialId", g.team_id AS "teamId", t.name AS team, g.by_team AS "byTeam",
      g.is_place_allowed AS "isPlaceAllowed", g.manifest, g.digest, g.requested_by AS "requestedBy", g.state,
      ${ownsCredential(scope)} AS "isOwner", ${askedForGrant(scope)} AS "isRequester",
      EXISTS (SELECT FROM tokens k WHERE k.id = g.requested_by AND k.revoked_at IS NOT NULL) AS "isAskerRevoked"
    FROM grants g JOIN credentials c ON c.id = g.credential_id JOIN teams t ON t.id = g.team_id
    WHERE g.id = ${id}`.execute(trx);
  return rows[0];
}

export interface GrantDecision {
  readonly state: Exclude<GrantState, "pending">;
  readonly actor: string;
  readonly reason: string;
  /** Of an approval: what it has registered. */
  readonly consumerId?: string;
}

/** Names who asked, who answered and the digest that both meant. */
export async function decideGrant(trx: Trx, grant: LockedGrant, decision: GrantDecision): Promise<void> {
  const { state, actor, reason, consumerId } = decision;
  await sql`
    UPDATE grants SET state = ${state}, decided_by = ${actor}, decided_at = clock_timestamp(), reason = ${reason}
    WHERE id = ${grant.id}`.execute(trx);
  await recordEvent(trx, {
    actor,
    action: `grant.${state}`,
    credentialId: grant.credentialId,
    details: { grant: grant.id, digest: grant.digest, requestedBy: grant.requestedBy, consumer: consumerId, reason },
  });
}

/** Those that wait and that a condition over `g` names: what they were asked for is not there any more. */
export async function outdateGrants(
  trx: Trx,
  condition: RawBuilder<unknown>,
  reason: string,
  actor: string,
): Promise<void> {
  const { rows } = await sql<{ id: string; credentialId: string; digest: string; requestedBy: string }>`
    UPDATE grants g SET state = 'outdated', decided_by = ${actor}, decided_at = clock_timestamp(), reason = ${reason}
    WHERE g.state = 'pending' AND ${condition}
    RETURNING g.id, g.credential_id AS "credentialId", g.digest, g.requested_by AS "requestedBy"`.execute(trx);
  await recordEvents(
    trx,
    rows.map(({ id, credentialId, digest, requestedBy }) => ({
      actor,
      action: "grant.outdated",
      credentialId,
      details: { grant: id, digest, requestedBy, reason },
    })),
  );
}
