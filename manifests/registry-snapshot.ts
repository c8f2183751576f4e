import type { Ledger } from "../ledger/database.ts";
import { findMetadata, type ObjectMetadata } from "../ledger/object-metadata.ts";
import {
  findConnections,
  findConsumers,
  findEnvironments,
  findPolicies,
  findPrincipalClaims,
  findTeams,
  lockCredentials,
  type ConnectionRow,
  type ConsumerRow,
  type CredentialRow,
  type EnvironmentRow,
  type PolicyRow,
  type PrincipalClaim,
  type TeamRef,
  type TeamRow,
} from "../ledger/registry-views.ts";
import { findNotices, type NoticeRow } from "../ledger/notice-rows.ts";
import { readNeighbours, readSeenCredentials } from "../ledger/registry-list.ts";
import type { Manifest } from "./schemas.ts";

export type Transaction = Parameters<Parameters<ReturnType<Ledger["db"]["transaction"]>["execute"]>[0]>[0];

/** What the ledger holds of everything that some manifests are about or refer to, keyed as manifests name it. */
export interface RegistrySnapshot {
  readonly teams: Map<string, TeamRow>;
  readonly environments: Map<string, EnvironmentRow>;
  /** By `team/name`. */
  readonly policies: Map<string, PolicyRow>;
  /** By `team/name`. */
  readonly connections: Map<string, ConnectionRow>;
  /** `team/name` of connections that may have been meant by names that no connection has. */
  readonly connectionNames: readonly string[];
  /** By `team/name`. */
  readonly credentials: Map<string, CredentialRow>;
  /** `team/name` of credentials, likewise. */
  readonly credentialNames: readonly string[];
  /** By id of the credential and name. */
  readonly consumers: Map<string, ConsumerRow>;
  /** By `team/name`. */
  readonly notices: Map<string, NoticeRow>;
  /** Those that are reached over one of the connections. */
  readonly reached: readonly ConsumerRow[];
  readonly claims: PrincipalClaim[];
  /** By the object's id. */
  readonly metadata: ReadonlyMap<string, ObjectMetadata>;
}

/** `name` within a team, or `team/name`. */
export function resolveRef(reference: string, ownTeam: string): TeamRef {
  const [first = "", second] = reference.split("/");
  return second === undefined ? { team: ownTeam, name: first } : { team: first, name: second };
}

export const refKey = ({ team, name }: TeamRef) => `${team}/${name}`;
export const consumerKey = (credentialId: string, name: string) => `${credentialId}/${name}`;

const byRef = <T extends TeamRef>(rows: readonly T[]) => new Map(rows.map((row) => [refKey(row), row]));
const byName = <T extends { readonly name: string }>(rows: readonly T[]) => new Map(rows.map((row) => [row.name, row]));

/** A team that asks for itself. */
export interface AskingTeam {
  readonly id: string;
  readonly name: string;
}

/**
 * `asking`: what that team may know is all there is. Whatever else is named is neither read nor waited for, so that neither
 * the answer nor its time tells whether it is there.
 */
export async function readSnapshot(
  trx: Transaction,
  manifests: readonly Manifest[],
  asking?: AskingTeam,
): Promise<RegistrySnapshot> {
  const scope = asking === undefined ? "everything" : { teamId: asking.id };
  const isOwn = ({ team }: { readonly team: string }) => asking === undefined || team === asking.name;
  const refs = manifests.map(refsOf);
  const namedCredentials = refs.flatMap((one) => one.credentials);
  const namedConnections = refs.flatMap((one) => one.connections);
  const teams = await findTeams(
    trx,
    refs.flatMap((one) => one.teams),
  );
  const environments = await findEnvironments(
    trx,
    refs.flatMap((one) => one.environments),
  );
  const policies = await findPolicies(
    trx,
    refs.flatMap((one) => one.policies),
  );
  const credentials = await lockCredentials(
    trx,
    asking === undefined ? namedCredentials : await readSeenCredentials(trx, scope, namedCredentials),
  );
  const connections = await findConnections(trx, namedConnections);
  const known = new Set([
    ...manifests.map(({ kind, metadata }) => ("team" in metadata ? `${kind} ${refKey(metadata)}` : kind)),
    ...credentials.map((row) => `Credential ${refKey(row)}`),
    ...connections.map((row) => `Connection ${refKey(row)}`),
  ]);
  const unknownCredentials = namedCredentials.filter((ref) => !known.has(`Credential ${refKey(ref)}`));
  const unknownConnections = namedConnections.filter((ref) => isOwn(ref) && !known.has(`Connection ${refKey(ref)}`));
  const consumers = await findConsumers(trx, { credentials: credentials.map(({ id }) => id) });
  const reached = await findConsumers(trx, { connections: connections.map(({ id }) => id) });
  const notices = await findNotices(
    trx,
    refs.flatMap((one) => one.notices),
  );
  const named = [teams, environments, policies, connections, credentials, consumers, notices]
    .flat()
    .map(({ id }) => id);
  const ids = [...connections.map(({ id }) => id), ...credentials.map(({ connectionId }) => connectionId)];
  return {
    teams: byName(teams.filter(({ name }) => isOwn({ team: name }))),
    environments: byName(environments),
    policies: byRef(policies),
    connections: byRef(connections),
    connectionNames: (await readNeighbours(trx, "connections", unknownConnections, scope)).map(refKey),
    credentials: byRef(credentials),
    credentialNames: (await readNeighbours(trx, "credentials", unknownCredentials, scope)).map(refKey),
    consumers: new Map(consumers.filter(isOwn).map((row) => [consumerKey(row.credentialId, row.name), row])),
    notices: byRef(notices),
    reached,
    claims: [...(await findPrincipalClaims(trx, ids))],
    metadata: await findMetadata(trx, named),
  };
}

interface Refs {
  readonly teams: readonly string[];
  readonly environments: readonly string[];
  readonly policies: readonly TeamRef[];
  readonly connections: readonly TeamRef[];
  readonly credentials: readonly TeamRef[];
  readonly notices: readonly TeamRef[];
}

const none: Refs = { teams: [], environments: [], policies: [], connections: [], credentials: [], notices: [] };

function refsOf(manifest: Manifest): Refs {
  switch (manifest.kind) {
    case "Team":
      return { ...none, teams: [manifest.metadata.name] };
    case "Environment":
      return { ...none, environments: [manifest.metadata.name] };
    case "Policy":
      return { ...none, teams: [manifest.metadata.team], policies: [manifest.metadata] };
    case "Connection":
      return { ...placed(manifest.metadata), connections: [manifest.metadata] };
    case "Credential": {
      const { metadata, spec } = manifest;
      const { teams, ...place } = placed(metadata);
      return {
        ...place,
        teams: [...teams, spec.owner, spec.backupOwner].filter((one) => one !== undefined),
        policies: typeof spec.policy === "string" ? [resolveRef(spec.policy, metadata.team)] : [],
        connections: [resolveRef(spec.connection, metadata.team)],
        credentials: [metadata],
      };
    }
    case "Consumer": {
      const credential = resolveRef(manifest.spec.credential, manifest.metadata.team);
      const { connection } = manifest.spec;
      const connections = connection === undefined ? [] : [resolveRef(connection, manifest.metadata.team)];
      return { ...none, teams: [manifest.metadata.team], credentials: [credential], connections };
    }
    case "Notice":
      return { ...none, teams: [manifest.metadata.team], notices: [manifest.metadata] };
  }
}

function placed({ team, environment }: { readonly team: string; readonly environment: string }): Refs {
  return { ...none, teams: [team], environments: [environment] };
}
