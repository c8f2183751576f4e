import { sql } from "kysely";
import { connectionSecretRef } from "../../custody/refs.ts";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConnection, storeConnectionSecret, storeConsumer } from "../../ledger/registry.ts";
import type { StoredEvidence } from "../../ledger/registry-views.ts";
import type { ConsumerDefinition } from "../../providers/contract/consumer.ts";
import type { Value } from "../../providers/contract/value.ts";
import type { Registered, RegisteredAt } from "./registered.ts";

export interface OverConnection<Config, Connection> {
  readonly definition: ConsumerDefinition<Config, Connection>;
  readonly name: string;
  readonly config: Config;
  /** Of the connection, which may list what each team may do. */
  readonly settings: (team: string) => Connection;
  readonly secret: Value;
  readonly evidence?: StoredEvidence;
}

export interface Reached<Connection> {
  readonly consumerId: string;
  readonly connectionId: string;
  /** As `rekey apply` does: other settings, and the secret given again for them. */
  edit(settings: (team: string) => Connection): Promise<void>;
}

/** Another consumer of a registered credential, of a kind that is reached over a connection of its own. */
export async function registerOverConnection<Config, Connection>(
  world: Pick<RegisteredAt, "ledger" | "custody">,
  { credentialId }: Pick<Registered, "credentialId">,
  {
    definition,
    name,
    config,
    settings,
    secret,
    evidence = { collectors: { platform: { instances: 1 } } },
  }: OverConnection<Config, Connection>,
): Promise<Reached<Connection>> {
  const { connectionKind: kind } = definition;
  if (kind === undefined) throw new Error(`a ${definition.kind} is reached without a connection`);
  const { rows } = await sql<{ team: string; teamId: string; environmentId: string; instance: string }>`
    SELECT t.name AS team, t.id AS "teamId", c.environment_id AS "environmentId", (SELECT id FROM instance) AS instance
    FROM credentials c JOIN teams t ON t.id = c.team_id WHERE c.id = ${credentialId}`.execute(world.ledger.db);
  const [place] = rows;
  if (place === undefined) throw new Error("no credential");
  const connection = { id: newId("connection"), name, kind: kind.kind, pool: "default" };
  const consumerId = newId("consumer");
  let revision = 0;

  async function store(given: Connection): Promise<void> {
    revision += 1;
    const row = newId("custodyValue");
    const held = { ...connection, settings: given, secret_row: row, secret_revision: revision };
    await world.custody.putIfAbsent(connectionSecretRef(held, place?.instance ?? ""), secret);
    await transact(world.ledger, async (trx) => {
      const stored = { ...connection, ...place, settings: given, adminPrincipal: "" };
      await storeConnection(trx, stored as never, { actor: "tok_test", isNew: revision === 1, changes: [] });
      const fingerprint = newId("custodyValue");
      await storeConnectionSecret(trx, { connectionId: connection.id, row, revision, fingerprint }, "tok_test");
    });
  }

  await store(settings(place.team));
  await transact(world.ledger, async (trx) =>
    storeConsumer(
      trx,
      {
        id: consumerId,
        credentialId,
        teamId: place.teamId,
        name,
        kind: definition.kind,
        connectionId: connection.id,
        target: definition.targetOf(config, settings(place.team)),
        config,
        evidence,
      },
      { actor: "tok_test", isNew: true, changes: [] },
    ),
  );
  return { consumerId, connectionId: connection.id, edit: async (given) => store(given(place.team)) };
}
