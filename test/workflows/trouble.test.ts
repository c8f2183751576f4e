import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { editFile } from "../harness/edit-file.ts";
import { giveCommand } from "../../ledger/commands.ts";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConsumer } from "../../ledger/registry.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, auditActions, say, untilPhase, versionsOf } from "../harness/say.ts";
import { startShop } from "../harness/shop.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, untilClosed, untilHeld, untilLedger, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("trouble", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker();
  });

  afterAll(async () => world?.close());

  const adminOf = async ({ connectionId }: Registered): Promise<string> => {
    const { rows } = await sql<{ name: string }>`
      SELECT admin_principal AS name FROM connections WHERE id = ${connectionId}`.execute(world.ledger.db);
    return rows[0]?.name ?? "";
  };

  const effects = async (rotationId: string) =>
    (await auditActions(world, rotationId)).filter((action) => action === "operation.intended");

  async function endsProven(orders: Registered, rotationId: string): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "proven-dead" }, { state: "live" }]);
  }

  it("invariant 16: a missing right holds before the first effect, and names the statement that grants it", async () => {
    const orders = await register(world);
    const admin = await adminOf(orders);
    await world.issuer.ask(`REVOKE pg_signal_backend FROM ${admin}`);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "right_missing", phase: "reserved" });
    expect(hold.detail).toContain("GRANT pg_signal_backend TO");
    expect(await effects(rotationId)).toEqual([]);
    await world.issuer.ask(`GRANT pg_signal_backend TO ${admin}`);
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 16: a login that owns objects holds before the first effect", async () => {
    const orders = await register(world);
    const [, second = ""] = orders.logins;
    await world.issuer.ask(`CREATE TABLE own (id int); ALTER TABLE own OWNER TO ${second}`, orders.database);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "principal_owns_objects", phase: "reserved" });
    expect(await effects(rotationId)).toEqual([]);
    await answerHold(world, rotationId, "roll-back");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    await orders.shop.close();
  });

  it("a wrong admin password holds, and the rotation goes on once it is right again", async () => {
    const orders = await register(world, { policy: { graceMs: 3_000 } });
    const admin = await adminOf(orders);
    const [row] = await world.issuer.ask(`SELECT rolpassword FROM pg_authid WHERE rolname = '${admin}'`);
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await world.issuer.ask(`ALTER ROLE ${admin} PASSWORD 'somebody changed it'`);
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).toBe("issuer_auth_failed");
    await world.issuer.ask(`ALTER ROLE ${admin} PASSWORD '${String(row?.["rolpassword"])}'`);
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("a connection edited meanwhile holds; a person who retries has seen it", async () => {
    const orders = await register(world, { policy: { graceMs: 2_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await sql`UPDATE connections SET revision = revision + 1 WHERE id = ${orders.connectionId}`.execute(
      world.ledger.db,
    );
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).toBe("connection_changed");
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 12: a value that somebody else put into the target is not overwritten", async () => {
    const orders = await register(world);
    const before = await readFile(orders.file, "utf8");
    const foreign = before.replace(orders.password, "somebody-elses-value-0123456789");
    orders.shop.isStubborn = true;
    await editFile(orders.file, foreign);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).toBe("target_drift");
    expect(await readFile(orders.file, "utf8")).toBe(foreign);
    await editFile(orders.file, before);
    orders.shop.isStubborn = false;
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await orders.shop.close();
  });

  it.each(["delivered", "promoted", "disabled"])(
    "invariant 4: a consumer registered when it is %s is delivered first and asked",
    async (phase) => {
      const policy = { graceMs: 1_000, disabledForMs: 1_500, holdAfterMs: 20_000 };
      const orders = await register(world, { policy });
      orders.shop.isStubborn = phase === "delivered";
      const rotationId = await orders.rotate();
      await untilPhase(world, rotationId, phase);
      const late = await registerLate(orders);
      orders.shop.isStubborn = false;
      expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
      const { rows } = await sql<{ held_version: number }>`
        SELECT held_version FROM consumers WHERE id = ${late.id}`.execute(world.ledger.db);
      expect(rows).toEqual([{ held_version: 2 }]);
      expect((await orders.shop.close()).failures).toEqual([]);
      await late.shop.close();
    },
  );

  /** A second application, with a file of its own that holds version 1 as today. */
  async function registerLate(orders: Registered) {
    const { issuer, folder, ledger } = world;
    const { database } = orders;
    const id = newId("consumer");
    const file = join(folder, "targets", `${id}.env`);
    await writeFile(file, `DB_USER=${orders.logins[0]}\nDB_PASSWORD=${orders.password}\n`, { mode: 0o600 });
    const applicationName = "late-shop";
    const shop = await startShop({ file, host: issuer.host, port: issuer.port, database, applicationName }).catch(
      // Where version 1 is refused already, it waits for its delivery and starts then.
      () => undefined,
    );
    const { rows } = await sql<{ team_id: string }>`
      SELECT team_id FROM credentials WHERE id = ${orders.credentialId}`.execute(ledger.db);
    const collectors = { sessions: { database, networks: ["127.0.0.1/32"], applicationName } };
    await transact(ledger, async (trx) =>
      storeConsumer(
        trx,
        {
          id,
          credentialId: orders.credentialId,
          teamId: rows[0]?.team_id ?? "",
          name: "late",
          kind: "file",
          target: `file:${file}`,
          config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
          evidence: { collectors },
        },
        { actor: "tok_test", isNew: true, changes: [] },
      ),
    );
    if (shop !== undefined) return { id, shop };
    await untilLedger(async () => {
      const found = await sql<{
        held: number | null;
      }>`SELECT held_version AS held FROM consumers WHERE id = ${id}`.execute(ledger.db);
      return found.rows[0]?.held ?? undefined;
    });
    return { id, shop: await startShop({ file, host: issuer.host, port: issuer.port, database, applicationName }) };
  }

  it("invariant 4: a consumer removed meanwhile blocks by name until a person accepts it", async () => {
    const orders = await register(world, { policy: { graceMs: 2_000, holdAfterMs: 400 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await sql`UPDATE consumers SET retired_at = clock_timestamp() WHERE id = ${orders.consumerId}`.execute(
      world.ledger.db,
    );
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).toBe("registration_changed");
    await answerHold(world, rotationId, "accept");
    // That it is gone is one thing, that nobody is left to be asked another.
    const second = await untilHeld(world, rotationId);
    expect(JSON.stringify(second.gaps)).toContain("no_consumers");
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await orders.shop.close();
  });

  it("a consumer that breaks while the old version is refused brings it back by itself", async () => {
    const orders = await register(world, { policy: { disabledForMs: 20_000, observeForMs: 500 } });
    const [login = ""] = orders.logins;
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "disabled");
    expect(await world.issuer.logsIn(login, orders.password, orders.database)).toBe("28000");
    await orders.shop.close();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "consumer_unhealthy", phase: "drained" });
    expect(await world.issuer.logsIn(login, orders.password, orders.database)).toBe("accepted");
    await answerHold(world, rotationId, "roll-back");
    const second = await untilHeld(world, rotationId);
    expect(second.code).toBe("evidence_missing");
    await answerHold(world, rotationId, "accept");
    expect(await untilLedger(async () => (await readRotation(world, rotationId)).outcome ?? undefined)).toBe("undone");
  });

  it("invariant 7: of two operators who answer one hold differently, the first is heard", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 300 } });
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    const decide = async (decision: "retry" | "roll-back", actor: string) =>
      giveCommand(world.ledger, {
        rotationId,
        command: { kind: "decide", holdId: hold.id, decision, gaps: [] },
        actor,
      });
    const [first, second] = [await decide("roll-back", "tok_one"), await decide("retry", "tok_two")];
    expect(first).toMatchObject({ ok: true });
    expect(second).toMatchObject({ ok: false });
    expect(await untilLedger(async () => (await readRotation(world, rotationId)).outcome ?? undefined)).toBe("undone");
    await orders.shop.close();
  });

  it("invariant 5: a session that sets its own password again does not outlive its version", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    const [login = ""] = orders.logins;
    const thief = await world.issuer.openSession(login, orders.password, { database: orders.database, name: "thief" });
    await thief.query("SET ROLE none");
    const stolen = "a-password-of-the-thiefs-own-0123456789";
    let isOver = false;
    const again = (async () => {
      while (!isOver) {
        await thief.query(`ALTER ROLE ${login} PASSWORD '${stolen}'`).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const rotationId = await orders.rotate();
    await untilHeld(world, rotationId);
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    isOver = true;
    await again;
    expect(await world.issuer.logsIn(login, orders.password, orders.database)).toBe("28P01");
    // Set once more in the moment before its session ended, it is the right one of a login that may not log in.
    expect(["28P01", "28000"]).toContain(await world.issuer.logsIn(login, stolen, orders.database));
    await expect(thief.query("SELECT 1")).rejects.toThrow();
    await orders.shop.close();
  });

  it(
    "invariant 9: a worker that was away for longer than every wait goes on without asking anybody",
    { timeout: 180_000 },
    async () => {
      const own = await openWorld();
      try {
        const first = await own.startWorker();
        const orders = await register(own, { policy: { graceMs: 500, holdAfterMs: 1_000 } });
        const rotationId = await orders.rotate();
        await untilPhase(own, rotationId, "promoted");
        await first.stop();
        const left = await readRotation(own, rotationId);
        await untilLedger(async () => {
          const { rows } = await sql<{ ms: number }>`
          SELECT (extract(epoch FROM clock_timestamp() - asked_since) * 1000)::float8 AS ms FROM rotations
          WHERE id = ${rotationId}`.execute(own.ledger.db);
          return (rows[0]?.ms ?? 0) > 2_500 ? true : undefined;
        });
        expect(left.outcome).toBeNull();
        await own.startWorker();
        expect(await untilClosed(own, rotationId)).toMatchObject({ outcome: "proven" });
        expect((await orders.shop.close()).failures).toEqual([]);
        expect(await say(own, rotationId, { kind: "pause" }).catch(String)).toContain("closed");
      } finally {
        await own.close();
      }
    },
  );
});
