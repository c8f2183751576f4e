import { sql } from "kysely";
import { connectionBinding, connectionSecretRef, versionRef } from "../../custody/refs.ts";
import { defaultPolicy, type Policy } from "../../domain/policy.ts";
import { adoptCredential } from "../../ledger/adoption.ts";
import { readCheck } from "../../ledger/checks.ts";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import {
  storeConnection,
  storeConnectionSecret,
  storeConsumer,
  storeCredential,
  type StoredConsumer,
} from "../../ledger/registry.ts";
import { reserveRotations } from "../../ledger/reserve-rotations.ts";
import { catalog } from "../../providers/catalog.ts";
import type { Value } from "../../providers/contract/value.ts";
import { untilLedger, type World } from "./world.ts";

/** What registering needs of a world. */
export type RegisteredAt = Pick<World, "ledger" | "custody">;

/** A credential of any kind with one consumer, and today's value. Everything is called after `mark`. */
export interface ToRegister {
  readonly mark: string;
  readonly kind: string;
  readonly order: "overlap" | "single-slot";
  readonly connection: { readonly settings: unknown; readonly secret: Value; readonly principal: string };
  /** Another's connection, team and environment, in place of its own. */
  readonly beside?: RegisteredCredential | undefined;
  readonly config: unknown;
  readonly principals: readonly string[];
  /** Absent: nobody is registered. */
  readonly consumer?: {
    readonly name: string;
    readonly kind: string;
    readonly target: string;
    readonly config: unknown;
    readonly evidence: StoredConsumer["evidence"];
  };
  /** The fields that a person gives when the credential is adopted. */
  readonly today: Value;
  readonly policy?: Partial<Policy> | undefined;
  /** The place of its values; the embedded one unless given. */
  readonly custody?: string | undefined;
}

export interface RegisteredCredential {
  readonly credentialId: string;
  readonly connectionId: string;
  readonly consumerId: string;
  readonly teamId: string;
  readonly environmentId: string;
  rotate(reason?: string): Promise<string>;
}

/** Fast enough for a test, with every wait of the real thing. */
const testPolicy: Policy = {
  ...defaultPolicy,
  graceMs: 300,
  disabledForMs: 300,
  observeForMs: 300,
  lookEveryMs: 100,
  holdAfterMs: 4_000,
  answersInRow: 2,
  attempts: 6,
  retryFirstMs: 100,
  retryLongestMs: 1_000,
};

const by = { actor: "tok_test", isNew: true, changes: [] };

/** Registers and adopts; a worker has to run, since adopting asks the issuer. */
export async function registerCredential(world: RegisteredAt, given: ToRegister): Promise<RegisteredCredential> {
  const { ledger, custody } = world;
  const { mark, kind, config } = given;
  const { settings, secret, principal } = given.connection;
  const { beside } = given;
  const ids = {
    team: beside?.teamId ?? newId("team"),
    environment: beside?.environmentId ?? newId("environment"),
    connection: beside?.connectionId ?? newId("connection"),
    credential: newId("credential"),
    consumer: newId("consumer"),
  };
  if (beside === undefined) {
    await sql`INSERT INTO teams (id, name) VALUES (${ids.team}, ${mark})`.execute(ledger.db);
    await sql`INSERT INTO environments (id, name) VALUES (${ids.environment}, ${mark})`.execute(ledger.db);
  }
  const instance = await instanceOf(world);
  const row = newId("custodyValue");
  const place = {
    id: ids.connection,
    name: mark,
    kind,
    settings,
    pool: "default",
    secret_row: row,
    secret_revision: 1,
  };
  if (beside === undefined) await custody.putIfAbsent(connectionSecretRef(place, instance), secret);
  const owner = { teamId: ids.team, environmentId: ids.environment, name: mark, kind };
  await transact(ledger, async (trx) => {
    if (beside === undefined) {
      await storeConnection(
        trx,
        { ...owner, id: ids.connection, pool: "default", settings, adminPrincipal: principal },
        by,
      );
      const fingerprint = connectionBinding(kind, settings);
      await storeConnectionSecret(trx, { connectionId: ids.connection, row, revision: 1, fingerprint }, "tok_test");
    }
    await storeCredential(
      trx,
      {
        ...owner,
        id: ids.credential,
        connectionId: ids.connection,
        order: given.order,
        config,
        principals: given.principals,
        policy: { ...testPolicy, ...given.policy },
        policyId: null,
        inventory: {},
        ...(given.custody === undefined ? {} : { custody: given.custody }),
      },
      by,
    );
    if (given.consumer === undefined) return;
    await storeConsumer(
      trx,
      { ...given.consumer, id: ids.consumer, credentialId: ids.credential, teamId: ids.team },
      by,
    );
  });
  await adopt(world, ids.credential, given);
  return {
    credentialId: ids.credential,
    connectionId: ids.connection,
    consumerId: ids.consumer,
    teamId: ids.team,
    environmentId: ids.environment,
    async rotate(reason = "due") {
      const { reserved, refused } = await reserveRotations(ledger, [
        { credentialId: ids.credential, requestedBy: "tok_test", reason },
      ]);
      const [one] = reserved;
      if (one === undefined) throw new Error(`not reserved: ${refused[0]?.detail}`);
      return one.rotationId;
    },
  };
}

async function instanceOf({ ledger }: RegisteredAt): Promise<string> {
  const { rows } = await sql<{ id: string }>`SELECT id FROM instance`.execute(ledger.db);
  return rows[0]?.id ?? "";
}

async function adopt(world: RegisteredAt, credentialId: string, given: ToRegister): Promise<void> {
  const definition = catalog.issuers[given.kind];
  if (definition === undefined) throw new Error(`no issuer ${given.kind}`);
  const value = definition.complete(
    definition.connectionSchema.parse(given.connection.settings),
    definition.configSchema.parse(given.config),
    given.today,
  );
  const checkId = await adoptCredential(world.ledger, {
    credentialId,
    actor: "tok_test",
    put: async (place) => {
      await world.custody.putIfAbsent(versionRef(place), value);
    },
  });
  const check = await untilLedger(async () => {
    const found = await readCheck(world.ledger.db, "everything", checkId);
    return found?.state === "pending" ? undefined : found;
  });
  if (check.state !== "done") throw new Error(`not adopted: ${JSON.stringify(check.findings)}`);
}
