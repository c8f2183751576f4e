import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { proxyTcp } from "../harness/proxy/tcp.ts";
import { register, type Registered } from "../harness/registered.ts";
import { auditActions, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, stateOf, untilClosed, type World, type WorkerProcess } from "../harness/world.ts";

/**
 * A worker that stands still in the middle of a step, and hears nothing more of Temporal from then on, not even that the
 * step was cancelled meanwhile.
 */
interface Stopping {
  readonly worker: WorkerProcess;
  untilStopped(): Promise<void>;
  /** Goes on with what it was in the middle of, and ends once that is over. */
  goOnAndEnd(): Promise<void>;
}

async function untilStopped(worker: WorkerProcess): Promise<void> {
  while (stateOf(worker.pid) !== "T") {
    if (stateOf(worker.pid) === "") throw new Error("The worker is gone instead of standing still.");
    await pause(20);
  }
}

async function stopping(world: World, point: string): Promise<Stopping> {
  const [, port] = world.temporalAddress.split(":");
  // Its open polls would be given the attempts after the one that it stands in.
  const line = await proxyTcp(Number(port));
  const worker = await world.startWorker({
    REKEY_FAILPOINT: `${point}:stop`,
    TEMPORAL_ADDRESS: `127.0.0.1:${line.port}`,
    DEAF: "yes",
  });
  return {
    worker,
    async untilStopped() {
      await untilStopped(worker);
      await line.takeDown();
    },
    async goOnAndEnd() {
      worker.kill("SIGCONT");
      await worker.stop();
    },
  };
}

/** What a late attempt could spoil: the roles as their server has them, what the consumer reads, what the ledger says. */
async function standing(world: World, orders: Registered) {
  const { rows } = await sql`
    SELECT r.id, r.phase, r.outcome, o.step, o.target, o.state, o.claim_number FROM operations o
    JOIN rotations r ON r.id = o.rotation_id
    WHERE r.credential_id = ${orders.credentialId} ORDER BY o.id`.execute(world.ledger.db);
  return {
    rows,
    versions: await versionsOf(world, orders.credentialId),
    roles: await world.issuer.ask(
      `SELECT rolname, rolcanlogin, rolpassword, shobj_description(oid, 'pg_authid') AS comment FROM pg_authid
       WHERE rolname IN (${[orders.owner, ...orders.logins].map((name) => `'${name}'`).join()}) ORDER BY rolname`,
    ),
    file: await readFile(orders.file, "utf8"),
  };
}

const claimsOf = async ({ ledger }: World, rotationId: string, step: string): Promise<number> => {
  const { rows } = await sql<{ claim_number: number }>`
    SELECT claim_number FROM operations WHERE rotation_id = ${rotationId} AND step = ${step} AND target = ''`.execute(
    ledger.db,
  );
  return rows[0]?.claim_number ?? 0;
};

describe.runIf(hasTemporal)("an attempt that lost its turn", { timeout: 180_000 }, () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
  });

  afterAll(async () => world?.close());

  /** Registered by a worker of its own, so that those of the test meet nothing but the rotation. */
  async function registered(): Promise<Registered> {
    const helper = await world.startWorker();
    const orders = await register(world, { policy: { holdAfterMs: 60_000 } });
    await helper.stop();
    return orders;
  }

  it("invariant 7: is refused by the ledger while the newer one is still at work", async () => {
    const orders = await registered();
    const first = await stopping(world, "issue:B2");
    const rotationId = await orders.rotate();
    await first.untilStopped();
    const claim = await claimsOf(world, rotationId, "issue");
    const second = await stopping(world, "issue:B2");
    await second.untilStopped();
    expect(await claimsOf(world, rotationId, "issue")).toBeGreaterThan(claim);
    const before = await standing(world, orders);
    await first.goOnAndEnd();
    expect(await standing(world, orders)).toEqual(before);
    expect(await readRotation(world, rotationId)).toMatchObject({ phase: "reserved", outcome: null, hold: null });
    expect(await auditActions(world, rotationId)).not.toContain("operation.done");
    const third = await world.startWorker();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    const after = await standing(world, orders);
    await second.goOnAndEnd();
    expect(await standing(world, orders)).toEqual(after);
    await third.stop();
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 7: is refused at the target: a revoke of version 1 that arrives when version 3 lives in its slot", async () => {
    const orders = await registered();
    const first = await stopping(world, "revoke:call");
    const rotationId = await orders.rotate();
    await first.untilStopped();
    const second = await world.startWorker();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await untilClosed(world, await orders.rotate())).toMatchObject({ outcome: "proven" });
    const before = await standing(world, orders);
    expect(before.versions.at(-1)).toMatchObject({ number: 3, state: "live" });
    expect(before.file).toContain(`DB_USER=${orders.logins[0]}`);
    await first.goOnAndEnd();
    expect(await standing(world, orders)).toEqual(before);
    await second.stop();
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 14: a ledger that is killed in the middle of a step and comes back loses nothing", async () => {
    const orders = await registered();
    const worker = await world.startWorker({ REKEY_FAILPOINT: "issue:B2:stop" });
    const rotationId = await orders.rotate();
    await untilStopped(worker);
    const before = await standing(world, orders);
    await world.servers.ledger.kill();
    worker.kill("SIGCONT");
    // The step meets the ledger's absence when it wants to record what it did.
    await pause(1_500);
    await world.servers.ledger.restart();
    expect((await standing(world, orders)).rows).toEqual(before.rows);
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await worker.stop();
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 9: a Temporal that is killed in the middle of a step and comes back goes on where it was", async () => {
    const orders = await registered();
    const worker = await world.startWorker({ REKEY_FAILPOINT: "deliver:B2:stop" });
    const rotationId = await orders.rotate();
    await untilStopped(worker);
    await world.servers.temporal.kill();
    worker.kill("SIGCONT");
    await world.servers.temporal.restart();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await worker.stop();
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
