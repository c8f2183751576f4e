import { sql, type Transaction } from "kysely";
import { embeddedPlace } from "../domain/custody-place.ts";
import type { GivenPolicy } from "../domain/policy.ts";
import { recordEvent, type Plain } from "./audit.ts";
import { locks } from "./database.ts";
import { pinLateConnection } from "./pinned-connections.ts";
import type { EnvironmentRow, Inventory, StoredEvidence, TeamRow } from "./registry-views.ts";
import { settlePolicies } from "./settle-policies.ts";
import type { Tables } from "./tables.ts";

type Trx = Transaction<Tables>;

/** Who registers, and what the audit row says has changed: names of fields and, where they are no settings, values. */
export interface Registering {
  readonly actor: string;
  readonly isNew: boolean;
  readonly changes: readonly { readonly [name: string]: Plain }[];
}

/** One apply at a time, until the transaction ends: each plans against what the one before it left. */
export async function lockRegistry(trx: Trx): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${locks.apply})`.execute(trx);
}

/** `noun` is what the audit trail calls the kind. */
export async function record(
  trx: Trx,
  noun: string,
  id: string,
  by: Registering,
  credentialId?: string,
): Promise<void> {
  await recordEvent(trx, {
    actor: by.actor,
    action: `${noun}.${by.isNew ? "created" : "changed"}`,
    credentialId,
    details: { [noun]: id, changes: by.changes },
  });
}

export async function storeTeam(trx: Trx, team: TeamRow, by: Registering): Promise<void> {
  const { id, name, contact, maxConcurrent } = team;
  await sql`
    INSERT INTO teams (id, name, contact, policy, max_concurrent)
    VALUES (${id}, ${name}, ${contact}, ${JSON.stringify(team.policy)}::jsonb, ${maxConcurrent})
    ON CONFLICT (id) DO UPDATE SET contact = excluded.contact, policy = excluded.policy,
      max_concurrent = excluded.max_concurrent`.execute(trx);
  await settlePolicies(trx, sql`c.team_id = ${id}`);
  await record(trx, "team", team.id, by);
}

export async function storeEnvironment(trx: Trx, environment: EnvironmentRow, by: Registering): Promise<void> {
  const { id, name, policy, maxConcurrent } = environment;
  await sql`
    INSERT INTO environments (id, name, policy, max_concurrent)
    VALUES (${id}, ${name}, ${JSON.stringify(policy)}::jsonb, ${maxConcurrent})
    ON CONFLICT (id) DO UPDATE SET policy = excluded.policy, max_concurrent = excluded.max_concurrent`.execute(trx);
  await settlePolicies(trx, sql`c.environment_id = ${id}`);
  await record(trx, "environment", environment.id, by);
}

/** It rules the credentials that name it from now on. */
export async function storePolicy(
  trx: Trx,
  given: { readonly id: string; readonly teamId: string; readonly name: string; readonly policy: GivenPolicy },
  by: Registering,
): Promise<void> {
  const { id, teamId, name } = given;
  const policy = JSON.stringify(given.policy);
  await sql`
    INSERT INTO policies (id, team_id, name, policy) VALUES (${id}, ${teamId}, ${name}, ${policy}::jsonb)
    ON CONFLICT (id) DO UPDATE SET policy = excluded.policy`.execute(trx);
  await settlePolicies(trx, sql`c.policy_id = ${id}`);
  await record(trx, "policy", id, by);
}

export interface StoredConnection {
  readonly id: string;
  readonly teamId: string;
  readonly environmentId: string;
  readonly name: string;
  readonly kind: string;
  readonly pool: string;
  readonly settings: unknown;
  readonly adminPrincipal: string;
}

/**
 * A change of settings or pool takes the secret away: it is bound to where it may be sent. Give it again after this. Other
 * settings may lead to another server, so that what the former one called itself says nothing any more: whoever looks
 * there next learns it.
 */
export async function storeConnection(trx: Trx, connection: StoredConnection, by: Registering): Promise<void> {
  const { id, teamId, environmentId, name, kind, pool, settings, adminPrincipal } = connection;
  await sql`
    INSERT INTO connections AS n (id, team_id, environment_id, name, kind, pool, settings, admin_principal)
    VALUES (${id}, ${teamId}, ${environmentId}, ${name}, ${kind}, ${pool}, ${JSON.stringify(settings)}::jsonb,
      ${adminPrincipal})
    ON CONFLICT (id) DO UPDATE SET pool = excluded.pool, settings = excluded.settings,
      admin_principal = excluded.admin_principal, revision = n.revision + 1, secret_row = NULL,
      secret_fingerprint = NULL, identity = CASE WHEN n.settings = excluded.settings THEN n.identity END`.execute(trx);
  await record(trx, "connection", id, by);
}

export interface ConnectionLimits {
  readonly id: string;
  /** How many rotations may be open over it at once; null: the default. */
  readonly maxConcurrent: number | null;
  /** How many requests go over it in a second; null: as many as there are. */
  readonly requestsPerSecond: number | null;
}

/** Its secret stays where it is. */
export async function storeConnectionLimits(trx: Trx, limits: ConnectionLimits): Promise<void> {
  const { id, maxConcurrent, requestsPerSecond } = limits;
  await sql`UPDATE connections SET max_concurrent = ${maxConcurrent}, requests_per_second = ${requestsPerSecond}
    WHERE id = ${id}`.execute(trx);
}

export interface GivenSecret {
  readonly connectionId: string;
  readonly row: string;
  readonly revision: number;
  readonly fingerprint: string;
}

/** Points the connection at the secret that custody holds now. */
export async function storeConnectionSecret(trx: Trx, given: GivenSecret, actor: string): Promise<void> {
  await sql`
    UPDATE connections SET secret_row = ${given.row}, secret_revision = ${given.revision},
      secret_fingerprint = ${given.fingerprint}
    WHERE id = ${given.connectionId}`.execute(trx);
  await recordEvent(trx, {
    actor,
    action: "connection.secret_given",
    details: { connection: given.connectionId, revision: given.revision },
  });
}

export interface StoredCredential {
  readonly id: string;
  readonly teamId: string;
  readonly environmentId: string;
  readonly connectionId: string;
  readonly name: string;
  readonly kind: string;
  readonly order: "overlap" | "single-slot";
  readonly config: unknown;
  readonly principals: readonly string[];
  /** What its own manifest says, or the policy that it names. */
  readonly policy: GivenPolicy;
  readonly policyId: string | null;
  readonly inventory: Inventory;
  /** The place of its values in custody; the embedded one unless given. */
  readonly custody?: string;
}

export async function storeCredential(trx: Trx, credential: StoredCredential, by: Registering): Promise<void> {
  const { id, teamId, environmentId, connectionId, name, kind, order, config, principals, policy } = credential;
  const { policyId, inventory, custody = embeddedPlace } = credential;
  const own = JSON.stringify(policyId === null ? policy : {});
  await sql`
    INSERT INTO credentials AS c
      (id, team_id, environment_id, connection_id, name, kind, rotation_order, config, principals, policy,
        own_policy, policy_id, inventory, custody)
    VALUES (${id}, ${teamId}, ${environmentId}, ${connectionId}, ${name}, ${kind}, ${order},
      ${JSON.stringify(config)}::jsonb, ${[...principals]}, '{}',
      ${own}::jsonb, ${policyId}, ${JSON.stringify(inventory)}::jsonb, ${custody})
    ON CONFLICT (id) DO UPDATE SET connection_id = excluded.connection_id, kind = excluded.kind,
      rotation_order = excluded.rotation_order, config = excluded.config, principals = excluded.principals,
      own_policy = excluded.own_policy, policy_id = excluded.policy_id, inventory = excluded.inventory,
      custody = excluded.custody, revision = c.revision + 1`.execute(trx);
  await settlePolicies(trx, sql`c.id = ${id}`);
  await record(trx, "credential", id, by, id);
}

export interface StoredConsumer {
  readonly id: string;
  readonly credentialId: string;
  readonly teamId: string;
  readonly name: string;
  readonly kind: string;
  /** Of a kind that is reached over one. */
  readonly connectionId?: string | null;
  readonly target: string;
  readonly config: unknown;
  readonly evidence: StoredEvidence;
}

/** What was delivered to another target or in another form says nothing of the new one: it counts as never delivered. */
export async function storeConsumer(trx: Trx, consumer: StoredConsumer, by: Registering): Promise<void> {
  const { id, credentialId, teamId, name, kind, connectionId = null, target, config, evidence } = consumer;
  await sql`INSERT INTO targets (target) VALUES (${target}) ON CONFLICT DO NOTHING`.execute(trx);
  await sql`
    INSERT INTO consumers AS n (id, credential_id, team_id, name, kind, connection_id, target, config, evidence)
    VALUES (${id}, ${credentialId}, ${teamId}, ${name}, ${kind}, ${connectionId}, ${target},
      ${JSON.stringify(config)}::jsonb, ${JSON.stringify(evidence)}::jsonb)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, connection_id = excluded.connection_id,
      target = excluded.target, config = excluded.config, evidence = excluded.evidence, revision = n.revision + 1,
      held_version = CASE WHEN (n.target, n.config) = (excluded.target, excluded.config) THEN n.held_version END,
      held_digest = CASE WHEN (n.target, n.config) = (excluded.target, excluded.config) THEN n.held_digest END
    `.execute(trx);
  if (connectionId !== null) await pinLateConnection(trx, { credentialId, connectionId });
  await record(trx, "consumer", id, by, credentialId);
}
