import { sql, type Kysely } from "kysely";
import { recordEvents } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import type { Tables } from "./tables.ts";

/** Somebody at an issuer, as far as it tells who that is. */
export interface SeenClient {
  readonly principal: string;
  readonly database: string;
  readonly address: string;
  readonly applicationName: string;
}

/** The same for every session of one client on one credential. */
export const clientKey = ({ address, applicationName, database }: Omit<SeenClient, "principal">): string =>
  JSON.stringify([address, applicationName, database]);

/**
 * So many open ones of a credential are kept: a client names its application itself, and may call itself anything each
 * time. Whoever comes on top of them stands in the way of a revocation all the same.
 */
export const mostOpen = 100;

export interface SeenWhere {
  readonly credentialId: string;
  /** Absent: by a look outside of any rotation. */
  readonly rotationId?: string | undefined;
}

/**
 * Keeps who was seen in one sample without being registered. One that had been registered and is a stranger again, since
 * its consumer was changed or retired, is open again; a person's dismissal stays.
 */
export async function recordProposals(
  ledger: Ledger,
  { credentialId, rotationId }: SeenWhere,
  seen: readonly SeenClient[],
): Promise<void> {
  const clients = [...new Map(seen.map((client) => [clientKey(client), client])).values()];
  if (clients.length === 0) return;
  const given = JSON.stringify(clients.map((client) => ({ ...client, id: newId("proposal") })));
  await transact(ledger, async (trx) => {
    const { rows } = await sql<{ id: string }>`
      WITH given AS (
        SELECT g.* FROM jsonb_to_recordset(${given}::jsonb)
          AS g (id text, principal text, address text, "applicationName" text, database text)
      ), known AS (
        SELECT g.id AS given_id, p.id, p.state FROM given g JOIN proposals p ON p.credential_id = ${credentialId}
          AND (p.address, p.application_name, p.database) = (g.address, g."applicationName", g.database)
      ), kept AS (
        SELECT g.* FROM given g WHERE g.id IN (SELECT given_id FROM known)
        UNION ALL (SELECT g.* FROM given g WHERE g.id NOT IN (SELECT given_id FROM known) ORDER BY g.id LIMIT greatest(0,
          ${mostOpen} - (SELECT count(*) FROM proposals p WHERE p.credential_id = ${credentialId} AND p.state = 'open')))
      ), stored AS (
        INSERT INTO proposals AS p (id, credential_id, address, application_name, database, principal, rotation_id)
        SELECT id, ${credentialId}, address, "applicationName", database, principal, ${rotationId ?? null} FROM kept
        ON CONFLICT (credential_id, address, application_name, database) DO UPDATE SET
          last_seen_at = clock_timestamp(), samples = p.samples + 1, principal = excluded.principal,
          rotation_id = coalesce(excluded.rotation_id, p.rotation_id),
          state = CASE p.state WHEN 'registered' THEN 'open' ELSE p.state END,
          consumer_id = NULL, settled_at = CASE p.state WHEN 'registered' THEN NULL ELSE p.settled_at END
        RETURNING p.id
      )
      SELECT s.id FROM stored s LEFT JOIN known k ON k.id = s.id
      WHERE k.id IS NULL OR k.state = 'registered' ORDER BY s.id`.execute(trx);
    await recordEvents(
      trx,
      rows.map(({ id }) => ({
        ...{ credentialId, rotationId, actor: "system:worker", action: "proposal.opened" },
        details: { proposal: id },
      })),
    );
  });
}

/** The ids of a credential's proposals, keyed by `clientKey`. */
export async function readProposalIds(db: Kysely<Tables>, credentialId: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql<Omit<SeenClient, "principal"> & { readonly id: string }>`
    SELECT id, address, application_name AS "applicationName", database FROM proposals
    WHERE credential_id = ${credentialId}`.execute(db);
  return new Map(rows.map(({ id, ...client }) => [clientKey(client), id]));
}

export interface OpenProposal extends SeenClient {
  readonly id: string;
  readonly credentialId: string;
  /** Those that are registered now, with the evidence that each gives. */
  readonly consumers: readonly { readonly id: string; readonly collectors: Readonly<Record<string, unknown>> }[];
}

/** Those that nobody has settled; whose consumer may be registered by now. In the order of their ids, from after the given one on. */
export async function readOpenProposals(
  db: Kysely<Tables>,
  { after, atMost }: { readonly after: string; readonly atMost: number },
): Promise<readonly OpenProposal[]> {
  const { rows } = await sql<OpenProposal>`
    SELECT p.id, p.credential_id AS "credentialId", p.principal, p.address, p.application_name AS "applicationName",
      p.database, (SELECT jsonb_agg(jsonb_build_object('id', n.id, 'collectors', n.evidence -> 'collectors') ORDER BY n.id)
        FROM consumers n WHERE n.credential_id = p.credential_id AND n.retired_at IS NULL) AS consumers
    FROM proposals p JOIN credentials c ON c.id = p.credential_id AND c.retired_at IS NULL
    WHERE p.state = 'open' AND p.id > ${after} AND EXISTS (SELECT FROM consumers n
      WHERE n.credential_id = p.credential_id AND n.retired_at IS NULL)
    ORDER BY p.id LIMIT ${atMost}`.execute(db);
  return rows;
}

/** Closes proposals that a consumer explains now, whoever registered it. */
export async function closeProposals(
  ledger: Ledger,
  explained: readonly { readonly id: string; readonly consumerId: string }[],
): Promise<void> {
  if (explained.length === 0) return;
  await transact(ledger, async (trx) => {
    const { rows } = await sql<{ id: string; credential_id: string; consumer_id: string }>`
      UPDATE proposals p SET state = 'registered', consumer_id = g."consumerId", settled_at = clock_timestamp()
      FROM jsonb_to_recordset(${JSON.stringify(explained)}::jsonb) AS g (id text, "consumerId" text)
      WHERE p.id = g.id AND p.state = 'open' RETURNING p.id, p.credential_id, p.consumer_id`.execute(trx);
    await recordEvents(
      trx,
      rows.map(({ id, credential_id: credentialId, consumer_id: consumer }) => ({
        ...{ credentialId, actor: "system:api", action: "proposal.registered" },
        details: { proposal: id, consumer },
      })),
    );
  });
}

/** Records that a person knows of it and wants no consumer. False when it is settled already. */
export function dismissProposal(
  ledger: Ledger,
  { id, actor, reason }: { readonly id: string; readonly actor: string; readonly reason: string },
): Promise<boolean> {
  return transact(ledger, async (trx) => {
    const { rows } = await sql<{ credential_id: string }>`
      UPDATE proposals SET state = 'dismissed', dismissed_by = ${actor}, reason = ${reason},
        settled_at = clock_timestamp()
      WHERE id = ${id} AND state = 'open' RETURNING credential_id`.execute(trx);
    await recordEvents(
      trx,
      rows.map(({ credential_id: credentialId }) => ({
        ...{ credentialId, actor, action: "proposal.dismissed" },
        details: { proposal: id, reason },
      })),
    );
    return rows.length === 1;
  });
}
