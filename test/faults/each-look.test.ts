import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConsumer } from "../../ledger/registry.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, untilHeld, type World } from "../harness/world.ts";

/**
 * Three looks come before the revocation. Each stops the rotation by itself: were one of them blind, the next would hide
 * that, so each test says in which phase it has to hold.
 */
describe.runIf(hasTemporal)("each look before the revocation", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker();
  });

  afterAll(async () => world?.close());

  async function revokedNothing(orders: Registered): Promise<void> {
    const [first] = await versionsOf(world, orders.credentialId);
    expect(["live", "disabled"]).toContain(first?.state);
    const [role] = await world.issuer.ask(
      `SELECT rolpassword IS NOT NULL AS kept FROM pg_authid WHERE rolname = '${orders.logins[0]}'`,
    );
    expect(role).toEqual({ kept: true });
  }

  it("invariant 4: adopt holds while a consumer has not moved", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    expect(await untilHeld(world, rotationId)).toMatchObject({ phase: "delivered", code: "evidence_missing" });
    await revokedNothing(orders);
    orders.shop.isStubborn = false;
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await orders.shop.close();
  });

  it("invariant 4: drain holds when somebody uses the old version again, before it is disabled", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400, graceMs: 1_500 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    const [old = ""] = orders.logins;
    const { database, applicationName: name } = orders;
    const back = await world.issuer.openSession(old, orders.password, { database, name });
    expect(await untilHeld(world, rotationId)).toMatchObject({ phase: "promoted" });
    await revokedNothing(orders);
    expect(await world.issuer.logsIn(old, orders.password, database)).toBe("accepted");
    await back.end();
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await orders.shop.close();
  });

  it("invariant 4: guard holds for a consumer that was registered after everybody else had been asked", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400, disabledForMs: 2_500 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "disabled");
    await registerSilent(orders);
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ phase: "disabled", code: "evidence_missing" });
    expect(hold.detail).toContain("silent");
    await revokedNothing(orders);
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await orders.shop.close();
  });

  /** A consumer whose file can be written and which nothing reads. */
  async function registerSilent({ credentialId, logins, password, database }: Registered): Promise<void> {
    const id = newId("consumer");
    const file = join(world.folder, "targets", `${id}.env`);
    await writeFile(file, `DB_USER=${logins[0]}\nDB_PASSWORD=${password}\n`, { mode: 0o600 });
    const { rows } = await sql<{ team_id: string }>`
      SELECT team_id FROM credentials WHERE id = ${credentialId}`.execute(world.ledger.db);
    const sessions = { database, networks: ["127.0.0.1/32"], applicationName: "silent" };
    const silent = {
      id,
      credentialId,
      teamId: rows[0]?.team_id ?? "",
      name: "silent",
      kind: "file",
      target: `file:${file}`,
      config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
      evidence: { collectors: { sessions } },
    };
    const by = { actor: "tok_test", isNew: true, changes: [] };
    await transact(world.ledger, async (trx) => storeConsumer(trx, silent, by));
  }
});
