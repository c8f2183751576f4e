import { mkdir, readFile } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { editFile } from "../harness/edit-file.ts";
import { giveCommand } from "../../ledger/commands.ts";
import { newId } from "../../ledger/new-id.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, untilClosed, untilHeld, untilLedger, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("registrations and people during a rotation", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker();
  });

  afterAll(async () => world?.close());

  const firstLogin = async (orders: Registered) =>
    world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database);

  async function endsProven(orders: Registered, rotationId: string): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
    expect(await firstLogin(orders)).toBe("28P01");
  }

  it("invariant 4: a consumer whose evidence is weakened to open the guard blocks by name until a person accepts it", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 2_000 } });
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "delivered");
    const weak = { wanted: "delivered", collectors: {} };
    await world.ledger.db.transaction().execute(async (trx) => {
      await sql`SELECT FROM credentials WHERE id = ${orders.credentialId} FOR UPDATE`.execute(trx);
      await sql`UPDATE consumers SET evidence = ${JSON.stringify(weak)}::jsonb, revision = revision + 1
        WHERE id = ${orders.consumerId}`.execute(trx);
    });
    const hold = await untilHeld(world, rotationId);
    expect(JSON.stringify(hold.gaps)).toContain(`registration_changed:${orders.consumerId}`);
    expect(hold.detail).toContain("Consumer shop was changed while the rotation ran");
    expect(await firstLogin(orders)).toBe("accepted");
    orders.shop.isStubborn = false;
    await answerHold(world, rotationId, "retry");
    // Nobody has accepted it: trying again does not make it go away.
    const again = await untilHeld(world, rotationId);
    expect(JSON.stringify(again.gaps)).toContain("registration_changed");
    await answerHold(world, rotationId, "accept");
    await endsProven(orders, rotationId);
  });

  it("invariant 4: a credential without any consumer holds before anything is ended, until a person accepts it", async () => {
    const orders = await register(world, { isUnregistered: true, policy: { holdAfterMs: 400 } });
    // The application that nobody registered is found all the same: by what it does at the issuer.
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).toBe("no_consumers");
    expect(hold.detail).toContain("Register one, or accept");
    expect(hold.detail).toContain(orders.applicationName);
    expect(await firstLogin(orders)).toBe("accepted");
    await orders.shop.close();
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await firstLogin(orders)).toBe("28P01");
  });

  it("invariant 16: what stands in the way at several targets is told at once", async () => {
    const orders = await register(world, { policy: { graceMs: 2_000 } });
    const missing = { path: `${orders.file}.d/settings`, format: "raw", keys: { value: "password" } };
    await world.ledger.db.transaction().execute(async (trx) => {
      await sql`INSERT INTO targets (target) VALUES (${`file:${missing.path}`})`.execute(trx);
      const { rows } = await sql<{ id: string }>`
        INSERT INTO consumers (id, credential_id, team_id, name, kind, target, config, evidence)
        SELECT ${newId("consumer")}, credential_id, team_id, 'report', kind, ${`file:${missing.path}`},
          ${JSON.stringify(missing)}::jsonb, evidence FROM consumers WHERE id = ${orders.consumerId} RETURNING id`.execute(
        trx,
      );
      expect(rows).toHaveLength(1);
    });
    const before = await readFile(orders.file, "utf8");
    await editFile(orders.file, `${before}NOTE="never closed\n`);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold.detail).toContain(`Consumer shop (file:${orders.file})`);
    expect(hold.detail).toContain(`Consumer report (file:${missing.path})`);
    expect(hold.detail).toContain("Create it");
    await editFile(orders.file, before);
    await mkdir(`${orders.file}.d`, { mode: 0o700 });
    await answerHold(world, rotationId, "retry");
    // What can be written now is still not there: that it is to be made new is a person's word.
    expect(await untilHeld(world, rotationId)).toMatchObject({ code: "target_unused", phase: "reserved" });
    await answerHold(world, rotationId, "accept");
    await endsProven(orders, rotationId);
  });

  it("invariant 7: two operators who rotate at once get one rotation", async () => {
    const orders = await register(world);
    const ids = await Promise.all([orders.rotate("due"), orders.rotate("leaked"), orders.rotate("due")]);
    expect(new Set(ids).size).toBe(1);
    await endsProven(orders, ids[0] ?? "");
    expect(await versionsOf(world, orders.credentialId)).toHaveLength(2);
  });

  it("invariant 7: of two operators who answer one hold differently at the same moment, one is heard and one is told why not", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 300 } });
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    const gaps = (hold.gaps as readonly { readonly key: string }[]).map(({ key }) => key);
    const decide = async (decision: "accept" | "roll-back", actor: string) =>
      giveCommand(world.ledger, {
        rotationId,
        command: { kind: "decide", holdId: hold.id, decision, gaps },
        actor,
      });
    const answers = await Promise.all([decide("roll-back", "tok_one"), decide("accept", "tok_two")]);
    const heard = answers.findIndex((answer) => answer?.ok === true);
    const refused = answers.find((answer) => answer?.ok === false);
    expect(answers.filter((answer) => answer?.ok === true)).toHaveLength(1);
    expect(refused).toMatchObject({ ok: false });
    expect(refused?.ok === false ? refused.reason : "").toMatch(/the first answer stands|no hold|answered/);
    orders.shop.isStubborn = false;
    await untilLedger(async () => ((await readRotation(world, rotationId)).hold === null ? true : undefined));
    const closed = await untilClosed(world, rotationId);
    expect(closed.outcome).toBe(heard === 0 ? "undone" : "proven");
    const { rows } = await sql<{ decided_by: string }>`
      SELECT decided_by FROM holds WHERE id = ${hold.id}`.execute(world.ledger.db);
    expect(rows).toEqual([{ decided_by: heard === 0 ? "tok_one" : "tok_two" }]);
    expect(await readRotation(world, rotationId)).toMatchObject({ hold: null });
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
