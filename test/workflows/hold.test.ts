import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listProposals } from "../../ledger/proposal-views.ts";
import { register } from "../harness/registered.ts";
import { answerHold, auditActions, say, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, untilClosed, untilHeld, untilLedger, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("holds", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker();
  });

  afterAll(async () => world?.close());

  it("invariant 4: a forgotten session holds the revocation, is named, and ends by a person's decision", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    const [login = ""] = orders.logins;
    const forgotten = await world.issuer.openSession(login, orders.password, {
      database: orders.database,
      name: "night-report",
    });
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold.detail).toContain("night-report");
    expect(JSON.stringify(hold.gaps)).toContain("stranger_seen");
    const { credentialId } = orders;
    const asked = { scope: "everything", credentialId, onlyOpen: true, limit: 10 } as const;
    const [proposal] = await listProposals(world.ledger.db, asked);
    expect(proposal).toMatchObject({
      ...{ applicationName: "night-report", database: orders.database, principal: login },
      ...{ rotation: rotationId, state: "open" },
    });
    expect(hold.detail).toContain(`rekey consumer proposals show ${proposal?.id}`);
    await expect(forgotten.query("SELECT 1")).resolves.toMatchObject({ rowCount: 1 });
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await expect(forgotten.query("SELECT 1")).rejects.toThrow();
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 5: a session from before the cut of a single slot is ended, although its login lives on", async () => {
    const orders = await register(world, { order: "single-slot", policy: { holdAfterMs: 400 } });
    const [login = ""] = orders.logins;
    const { database } = orders;
    const forgotten = await world.issuer.openSession(login, orders.password, { database, name: "night-report" });
    const rotationId = await orders.rotate();
    expect((await untilHeld(world, rotationId)).detail).toContain("night-report");
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await expect(forgotten.query("SELECT 1")).rejects.toThrow();
    await orders.shop.close();
  });

  it("invariant 4: what nobody has accepted opens a new hold", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400, graceMs: 500 } });
    const [login = ""] = orders.logins;
    const open = async (name: string) =>
      world.issuer.openSession(login, orders.password, { database: orders.database, name });
    await open("night-report");
    const rotationId = await orders.rotate();
    const first = await untilHeld(world, rotationId);
    await open("month-report");
    await answerHold(world, rotationId, "accept");
    const second = await untilHeld(world, rotationId);
    expect(second.id).not.toBe(first.id);
    expect(second.detail).toContain("month-report");
    await answerHold(world, rotationId, "accept");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await orders.shop.close();
  });

  it("invariant 4: a consumer that goes back during the grace blocks", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400, graceMs: 1_500 } });
    const [login = ""] = orders.logins;
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    // As the shop itself would after a restart with yesterday's settings: same network, same application name.
    await world.issuer.openSession(login, orders.password, {
      database: orders.database,
      name: orders.applicationName,
    });
    const hold = await untilHeld(world, rotationId);
    expect(hold.detail).toContain("still on version 1");
    expect(await world.issuer.logsIn(login, orders.password, orders.database)).toBe("accepted");
    await answerHold(world, rotationId, "roll-back");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    await orders.shop.close();
  });

  it("invariant 18: a delivery that went to another place adopts nobody, and the old version stays", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).toBe("evidence_missing");
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    await answerHold(world, rotationId, "roll-back");
    await untilClosed(world, rotationId);
    await orders.shop.close();
  });

  it("invariant 5: a login that cannot be seen refused under control is never proven", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400, disabledForMs: 2_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "disabled");
    // From now on an access rule turns everybody away: a refusal says nothing about the version.
    for (const login of orders.logins) await world.issuer.ask(`GRANT barred TO ${login}`);
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).not.toBe("no_consumers");
    expect((await versionsOf(world, orders.credentialId))[0]?.state).not.toBe("proven-dead");
    for (const login of orders.logins) await world.issuer.ask(`REVOKE barred FROM ${login}`);
    await answerHold(world, rotationId, "retry");
    await untilClosed(world, rotationId);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "proven-dead" }, { state: "live" }]);
    await orders.shop.close();
  });

  it("pause stops before the next step, resume goes on, extend makes the grace longer", async () => {
    const orders = await register(world, { policy: { graceMs: 800 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await say(world, rotationId, { kind: "pause" });
    await say(world, rotationId, { kind: "extend", byMs: 500 });
    await untilLedger(async () =>
      (await auditActions(world, rotationId)).includes("command.heard") ? true : undefined,
    );
    const paused = (await auditActions(world, rotationId)).length;
    expect(await readRotation(world, rotationId)).toMatchObject({ phase: "promoted", outcome: null });
    expect((await auditActions(world, rotationId)).length).toBeLessThanOrEqual(paused + 1);
    // A resume that follows at once fits, although no step has heard the pause before it yet.
    await say(world, rotationId, { kind: "resume" });
    const row = await untilClosed(world, rotationId);
    expect(row.outcome).toBe("proven");
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
