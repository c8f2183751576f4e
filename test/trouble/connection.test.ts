import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectionBinding, connectionSecretRef } from "../../custody/refs.ts";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConnection, storeConnectionSecret } from "../../ledger/registry.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { makeAdmin, releases, startIssuerServer, type IssuerServer } from "../harness/postgres-issuer.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, auditActions, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, untilHeld, type World } from "../harness/world.ts";

interface Settings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

describe.runIf(hasTemporal)("an edited connection", () => {
  let world: World;
  let twin: IssuerServer;

  beforeAll(async () => {
    world = await openWorld();
    [twin] = await Promise.all([startIssuerServer(releases[0] ?? { name: "PostgreSQL" }), world.startWorker()]);
  });

  afterAll(async () => {
    await world?.close();
    await twin?.stop();
  });

  async function connectionOf({ connectionId }: Registered) {
    const { rows } = await sql<{
      id: string;
      name: string;
      kind: string;
      pool: string;
      team_id: string;
      environment_id: string;
      settings: Settings;
      admin_principal: string;
      secret_revision: number;
      identity: string | null;
      instance: string;
    }>`SELECT c.*, (SELECT id FROM instance) AS instance FROM connections c WHERE c.id = ${connectionId}`.execute(
      world.ledger.db,
    );
    const [row] = rows;
    if (row === undefined) throw new Error("no connection");
    return row;
  }

  /** As `rekey apply` does: what was given for another address is not sent to the new one. */
  async function edit(orders: Registered, change: Partial<Settings>): Promise<void> {
    const row = await connectionOf(orders);
    const settings = { ...row.settings, ...change };
    await transact(world.ledger, async (trx) =>
      storeConnection(
        trx,
        {
          id: row.id,
          teamId: row.team_id,
          environmentId: row.environment_id,
          name: row.name,
          kind: row.kind,
          pool: row.pool,
          settings,
          adminPrincipal: row.admin_principal,
        },
        { actor: "tok_test", isNew: false, changes: [] },
      ),
    );
  }

  async function giveSecret(orders: Registered): Promise<void> {
    const { id, name, kind, pool, settings, secret_revision, instance } = await connectionOf(orders);
    const [row, revision] = [newId("custodyValue"), secret_revision + 1];
    await world.custody.putIfAbsent(
      connectionSecretRef({ id, name, kind, settings, pool, secret_row: row, secret_revision: revision }, instance),
      { password: new Secret(orders.adminPassword) },
    );
    await transact(world.ledger, async (trx) =>
      storeConnectionSecret(
        trx,
        { connectionId: id, row, revision, fingerprint: connectionBinding(kind, settings) },
        "tok_test",
      ),
    );
  }

  const identityOf = async (orders: Registered) => (await connectionOf(orders)).identity;

  /** Gives the twin the same logins with other passwords, and the connection's own with the same. */
  async function doubled(orders: Registered) {
    const { user } = (await connectionOf(orders)).settings;
    for (const login of [orders.owner, ...orders.logins])
      await twin.ask(`CREATE ROLE ${login} LOGIN PASSWORD 'theirs'`);
    await makeAdmin(twin, { user, password: orders.adminPassword }, [orders.owner, ...orders.logins]);
    return () => twin.ask("SELECT * FROM pg_authid ORDER BY oid");
  }

  async function endsProven(orders: Registered, rotationId: string): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "proven-dead" }, { state: "live" }]);
    expect(await auditActions(world, rotationId)).not.toContain("rotation.undo-begun");
  }

  it("another name of the same server: seen by a person, and asked for its secret again, it goes on", async () => {
    const orders = await register(world, { policy: { graceMs: 2_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await edit(orders, { host: "localhost" });
    const first = await answerHold(world, rotationId, "retry");
    expect(first).toMatchObject({ code: "connection_changed", phase: "promoted" });
    expect(first.detail).toContain("was edited after this rotation had begun");
    expect(first.detail).toContain("If it still leads to the same server, retry");
    const second = await untilHeld(world, rotationId);
    expect(second.code).toBe("custody_missing");
    expect(second.detail).toContain("Apply its manifest again with `secretFrom`");
    await giveSecret(orders);
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("another name of the same server between two rotations: the next one sees its server and goes on", async () => {
    const orders = await register(world);
    const before = await identityOf(orders);
    await edit(orders, { host: "localhost" });
    expect(await identityOf(orders)).toBeNull();
    await giveSecret(orders);
    const rotationId = await orders.rotate();
    await endsProven(orders, rotationId);
    expect(await identityOf(orders)).toBe(before);
    expect(await auditActions(world, rotationId)).toContain("connection.identity_learned");
  });

  it("another server between two rotations: one that does not know today's value is not taken, and nothing is done", async () => {
    const orders = await register(world);
    const rolesThere = await doubled(orders);
    const before = await rolesThere();
    await edit(orders, { port: twin.port });
    await giveSecret(orders);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "issuer_identity_changed", phase: "reserved" });
    expect(hold.detail).toContain("does not let version 1 of");
    expect(await identityOf(orders)).toBeNull();
    await edit(orders, { port: world.issuer.port });
    await giveSecret(orders);
    await answerHold(world, rotationId, "retry");
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
    expect(await rolesThere()).toEqual(before);
  });

  it("another server with the same logins: nothing is done there, and back at the right one it goes on", async () => {
    const orders = await register(world, { policy: { graceMs: 2_000 } });
    const rolesThere = await doubled(orders);
    const before = await rolesThere();
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await edit(orders, { port: twin.port });
    await giveSecret(orders);
    await answerHold(world, rotationId, "retry");
    const other = await untilHeld(world, rotationId);
    expect(other).toMatchObject({ code: "issuer_identity_changed", phase: "promoted" });
    expect(other.detail).toContain("reaches another server than before. Nothing was done there");
    expect(await rolesThere()).toEqual(before);
    await edit(orders, { port: world.issuer.port });
    await giveSecret(orders);
    await answerHold(world, rotationId, "retry");
    // It was edited once more, by the person who now says so.
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
    expect(await rolesThere()).toEqual(before);
  });
});
