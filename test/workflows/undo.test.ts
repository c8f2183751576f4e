import { chmod, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { versionRef } from "../../custody/refs.ts";
import { revealField } from "../../providers/contract/value.ts";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, say, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import {
  openWorld,
  untilClosed,
  untilHeld,
  untilLedger,
  readRotation,
  type World,
  type WorkerProcess,
} from "../harness/world.ts";

const fileText = (orders: { readonly file: string }) => readFile(orders.file, "utf8");

describe.runIf(hasTemporal)("undo", () => {
  let world: World;
  let worker: WorkerProcess;

  beforeAll(async () => {
    world = await openWorld();
    worker = await world.startWorker();
  });

  afterAll(async () => world?.close());

  it("invariant 10: a consumer that refuses to adopt gets the previous version back, and the candidate dies", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 300 } });
    const before = await fileText(orders);
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    const hold = await answerHold(world, rotationId, "roll-back");
    expect(hold.code).toBe("evidence_missing");
    expect(hold.detail).toContain("shop");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await fileText(orders)).toBe(before);
    expect(await versionsOf(world, orders.credentialId)).toEqual([
      { number: 1, state: "live", kept: true },
      { number: 2, state: "proven-dead", kept: false },
    ]);
    expect((await orders.shop.close()).failures).toEqual([]);
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    const [role] = await world.issuer.ask(
      `SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = '${orders.logins[1]}'`,
    );
    expect(role).toEqual({ rolcanlogin: false, rolpassword: null });
  });

  it.each(["issued", "delivered", "promoted", "disabled"])(
    "invariant 1: an abort when it is %s leaves everything as it was, unnoticed",
    async (phase) => {
      const policy = phase === "disabled" ? { disabledForMs: 60_000 } : phase === "promoted" ? { graceMs: 60_000 } : {};
      const orders = await register(world, { policy: { ...policy, holdAfterMs: 30_000 } });
      const before = await fileText(orders);
      if (phase === "delivered") orders.shop.isStubborn = true;
      const rotationId = await orders.rotate();
      if (phase === "issued")
        await untilLedger(async () => (await readRotation(world, rotationId)).phase !== "reserved" || undefined);
      else await untilPhase(world, rotationId, phase);
      await say(world, rotationId, { kind: "abort" });
      expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
      expect(await fileText(orders)).toBe(before);
      expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "live" }, { state: "proven-dead" }]);
      expect((await orders.shop.close()).failures).toEqual([]);
      expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    },
  );

  it("invariant 10: a consumer that cannot be restored holds the undo, with both versions valid", async () => {
    const orders = await register(world, { policy: { graceMs: 60_000, attempts: 2 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    const [, second] = orders.logins;
    const text = await fileText(orders);
    const candidate = /DB_PASSWORD="?([^"\n]*)/.exec(text)?.[1] ?? "";
    // Somebody makes the folder writable by others meanwhile: the worker refuses to write there.
    await chmod(dirname(orders.file), 0o777);
    try {
      await say(world, rotationId, { kind: "abort" });
      const hold = await untilHeld(world, rotationId);
      expect(hold).toMatchObject({ code: "restore_failed" });
      expect(hold.detail).toContain("chmod go-w");
      for (const [login, password] of [
        [orders.logins[0], orders.password],
        [second, candidate],
      ])
        expect(await world.issuer.logsIn(login ?? "", password ?? "", orders.database)).toBe("accepted");
    } finally {
      await chmod(dirname(orders.file), 0o700);
    }
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 10: an application that stays on the candidate keeps it alive: abandon has its own guard", async () => {
    const orders = await register(world, { policy: { graceMs: 60_000, holdAfterMs: 600 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    orders.shop.isStubborn = true;
    await say(world, rotationId, { kind: "abort" });
    const hold = await untilHeld(world, rotationId);
    expect(["evidence_missing", "candidate_in_use"]).toContain(hold.code);
    expect(JSON.stringify(hold.gaps)).toContain("candidate_in_use");
    orders.shop.isStubborn = false;
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("a single slot is cut back to its former value", async () => {
    const orders = await register(world, { order: "single-slot", policy: { graceMs: 60_000 } });
    const before = await fileText(orders);
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await say(world, rotationId, { kind: "abort" });
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await fileText(orders)).toBe(before);
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "live" }, { state: "proven-dead" }]);
    await orders.shop.close();
  });

  /** The slot is cut, nothing is delivered, and nobody is at work: the next worker hears the abort first. */
  async function untilCut(orders: Registered): Promise<string> {
    await worker.arm("deliver:B0");
    const rotationId = await orders.rotate();
    expect(await worker.ended).toBe("SIGKILL");
    expect((await readRotation(world, rotationId)).phase).toBe("cut");
    return rotationId;
  }

  const openSession = (orders: Registered, password: string, name: string) =>
    world.issuer.openSession(orders.logins[0] ?? "", password, { database: orders.database, name });

  it("a single slot is cut back before anybody has the candidate: sessions from before the cut are in nobody's way", async () => {
    const orders = await register(world, { order: "single-slot" });
    const before = await fileText(orders);
    const session = await openSession(orders, orders.password, "somebody");
    const rotationId = await untilCut(orders);
    await say(world, rotationId, { kind: "abort" });
    worker = await world.startWorker();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect((await session.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    expect(await fileText(orders)).toBe(before);
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([
      { state: "live", kept: true },
      { state: "proven-dead", kept: false },
    ]);
    await session.end();
    await orders.shop.close();
  });

  it("invariant 10: a session that began between the cut and its return holds the undo, since it may be on the candidate", async () => {
    const orders = await register(world, { order: "single-slot", policy: { holdAfterMs: 600 } });
    const rotationId = await untilCut(orders);
    const session = await openSession(orders, await candidateOf(orders), "leak");
    await say(world, rotationId, { kind: "abort" });
    worker = await world.startWorker();
    const hold = await untilHeld(world, rotationId);
    expect(hold.code).toBe("stranger_seen");
    expect(hold.detail).toContain('application "leak"');
    expect(hold.detail).toContain("Sessions open on the candidate: 1.");
    await session.end();
    await answerHold(world, rotationId, "retry");
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    await orders.shop.close();
  });

  async function candidateOf({ credentialId }: Registered): Promise<string> {
    const { rows } = await sql<{ id: string; instance: string }>`
      SELECT v.id, i.id AS instance FROM versions v CROSS JOIN instance i
      WHERE v.credential_id = ${credentialId} AND v.number = 2`.execute(world.ledger.db);
    const { id: versionId = "", instance = "" } = rows[0] ?? {};
    const value = await world.custody.get(
      versionRef({ instance, credentialId, number: 2, versionId, pool: "default" }),
    );
    return revealField(value ?? {}, "password");
  }
});
