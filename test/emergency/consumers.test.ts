import { mkdir, readFile, rename } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { close } from "../../activities/close.ts";
import { releaseConsumer } from "../../ledger/emergencies.ts";
import type { Registered } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";
import { carryAll, declare, loginsOf, meet, openRotation, troubles } from "./scene.ts";
import { addShop } from "./second-shop.ts";

let bench: StepBench;

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(async () => bench?.close());

/** Nobody is asked before the deadline. */
const patient = { holdAfterMs: 300_000 };

/** Gone on until the rotation waits for a person, who is asked this. */
const untilHeld = async ({ credentialId }: Registered, code: string): Promise<string> => {
  let found = "";
  await carryAll(bench, credentialId, async () => {
    const rotationId = await openRotation(bench, credentialId);
    if (rotationId === undefined || (await readRotation(bench, rotationId)).hold?.code !== code) return false;
    found = rotationId;
    return true;
  });
  if (found === "") throw new Error(`Nobody was asked about ${code}.`);
  return found;
};

const accepts = async ({ database }: Registered, { user, password }: { user: string; password: string }) =>
  (await bench.issuer.logsIn(user, password, database)) === "accepted";

/** Version 1 was seen dead, although somebody may be waited for who has not the new one. */
const isDead = (credentialId: string) => async (): Promise<boolean> => {
  const { rows } = await sql<{ state: string }>`
    SELECT state FROM versions WHERE credential_id = ${credentialId} AND number = 1`.execute(bench.ledger.db);
  return rows[0]?.state === "proven-dead";
};

async function orderOf(rotationId: string): Promise<string> {
  return (await bench.read(rotationId)).order;
}

describe("a consumer that never adopts", () => {
  it("invariant 11: is cut off at the deadline, and gets the new version after", async () => {
    const orders = await bench.register({ policy: patient });
    orders.shop.isStubborn = true;
    const logins = await loginsOf(bench, orders);
    const { credentialId } = orders;
    const declared = await declare(bench, credentialId, { versions: [1], deadlineMs: 2_000 });
    const rotationId = declared.rotationId ?? "";
    await carryAll(bench, credentialId, isDead(credentialId));
    expect(await orderOf(rotationId)).toBe("contain-first");
    orders.shop.isStubborn = false;
    await carryAll(bench, credentialId);
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    const { rows } = await sql`
      SELECT FROM audit WHERE credential_id = ${credentialId} AND action = 'emergency.contained'`.execute(
      bench.ledger.db,
    );
    expect(rows).toHaveLength(1);
    await orders.shop.close();
  });

  it("is asked about at the deadline where that was chosen, and `accept` ends the version", async () => {
    const orders = await bench.register({ policy: patient });
    orders.shop.isStubborn = true;
    const [first] = await loginsOf(bench, orders);
    if (first === undefined) throw new Error("There is no login.");
    await declare(bench, orders.credentialId, { versions: [1], atDeadline: "hold" });
    const rotationId = await untilHeld(orders, "emergency_overdue");
    expect(await accepts(orders, first)).toBe(true);
    await bench.answer(rotationId, "accept");
    await carryAll(bench, orders.credentialId, isDead(orders.credentialId));
    expect(await accepts(orders, first)).toBe(false);
    orders.shop.isStubborn = false;
    await carryAll(bench, orders.credentialId);
    expect(await troubles(bench, orders, [first], [1])).toEqual([]);
    await orders.shop.close();
  });

  it("is waited for on `retry`, and nobody is asked a second time", async () => {
    const orders = await bench.register({ policy: patient });
    orders.shop.isStubborn = true;
    const logins = await loginsOf(bench, orders);
    await declare(bench, orders.credentialId, { versions: [1], atDeadline: "hold" });
    const rotationId = await untilHeld(orders, "emergency_overdue");
    await bench.answer(rotationId, "retry");
    orders.shop.isStubborn = false;
    await carryAll(bench, orders.credentialId);
    expect(await orderOf(rotationId)).toBe("overlap");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    const { rows } = await sql`SELECT FROM holds WHERE rotation_id = ${rotationId}`.execute(bench.ledger.db);
    expect(rows).toHaveLength(1);
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("a second emergency does not answer the question about the first one's deadline, unless it contains", async () => {
    const orders = await bench.register({ policy: patient });
    orders.shop.isStubborn = true;
    const logins = await loginsOf(bench, orders);
    const { credentialId } = orders;
    await declare(bench, credentialId, { versions: [1], atDeadline: "hold" });
    const rotationId = await untilHeld(orders, "emergency_overdue");
    const asked = async () => (await readRotation(bench, rotationId)).hold?.code;
    expect((await declare(bench, credentialId, { versions: [1], deadlineMs: 300_000 })).how).toBe("join");
    expect(await asked()).toBe("emergency_overdue");
    await declare(bench, credentialId, { versions: [1], contain: true });
    expect(await asked()).toBeUndefined();
    const { rows } = await sql`
      SELECT FROM audit WHERE credential_id = ${credentialId} AND action = 'emergency.overrode'`.execute(
      bench.ledger.db,
    );
    expect(rows).toHaveLength(1);
    orders.shop.isStubborn = false;
    await carryAll(bench, credentialId);
    expect(await orderOf(rotationId)).toBe("contain-first");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await orders.shop.close();
  });

  it("somebody is asked about the deadline after what they are asked already", async () => {
    const orders = await bench.register({ policy: { holdAfterMs: 700 } });
    orders.shop.isStubborn = true;
    await declare(bench, orders.credentialId, { versions: [1], atDeadline: "hold", deadlineMs: 6_000 });
    const rotationId = await untilHeld(orders, "evidence_missing");
    await sql`UPDATE emergencies SET deadline = clock_timestamp() WHERE credential_id = ${orders.credentialId}`.execute(
      bench.ledger.db,
    );
    await carryAll(bench, orders.credentialId, async () => Promise.resolve(true));
    expect((await readRotation(bench, rotationId)).hold?.code).toBe("evidence_missing");
    await bench.answer(rotationId, "retry");
    await untilHeld(orders, "emergency_overdue");
    await bench.answer(rotationId, "accept");
    orders.shop.isStubborn = false;
    await carryAll(bench, orders.credentialId);
    expect(await troubles(bench, orders, [], [1])).toEqual([]);
    await orders.shop.close();
  });

  it("a version that is being ended goes on to be, although its time is over and a person was to be asked", async () => {
    const orders = await bench.register({ policy: { attempts: 60 } });
    const logins = await loginsOf(bench, orders);
    await declare(bench, orders.credentialId, {
      versions: [1],
      contain: false,
      atDeadline: "hold",
      deadlineMs: 60_000,
    });
    const rotationId = (await openRotation(bench, orders.credentialId)) ?? "";
    await bench.reach(rotationId, "revoking");
    await sql`UPDATE emergencies SET deadline = clock_timestamp() WHERE credential_id = ${orders.credentialId}`.execute(
      bench.ledger.db,
    );
    await carryAll(bench, orders.credentialId);
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    const { rows } = await sql`SELECT FROM holds WHERE rotation_id = ${rotationId}`.execute(bench.ledger.db);
    expect(rows).toEqual([]);
    await orders.shop.close();
  });
});

describe("a consumer that may be the leak", () => {
  const heldIn = async (file: string): Promise<string> => readFile(file, "utf8");

  it("gets nothing, nobody waits for it, and its sessions end; released, the next rotation brings it the version", async () => {
    const orders = await bench.register({ policy: patient });
    const second = await addShop(bench, orders);
    second.shop.isStubborn = true;
    const before = await heldIn(second.file);
    const logins = await loginsOf(bench, orders);
    const asked = { versions: [1], contain: false, deadlineMs: 300_000, suspects: [second.consumerId] };
    // Nobody looks on by logging in: whoever is seen on the old version without being registered would keep it alive.
    const declared = await declare(bench, orders.credentialId, asked);
    await carryAll(bench, orders.credentialId);
    expect(await orderOf(declared.rotationId ?? "")).toBe("overlap");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    expect(await heldIn(second.file)).toBe(before);
    const { rows } = await sql`
      SELECT FROM evidence WHERE rotation_id = ${declared.rotationId} AND consumer_id = ${second.consumerId}
        AND version > 1 AND complete`.execute(bench.ledger.db);
    expect(rows).toEqual([]);
    // It is suspected and no stranger, as whoever tries the old login here is one.
    const { rows: proposals } = await sql`
      SELECT FROM proposals
      WHERE credential_id = ${orders.credentialId} AND application_name <> 'witness'`.execute(bench.ledger.db);
    expect(proposals).toEqual([]);

    // Another emergency while nobody has answered for it: still nothing.
    await meet(bench, orders, { versions: [2], contain: true });
    expect(await heldIn(second.file)).toBe(before);

    const release = { consumerId: second.consumerId, actor: "tok_responder", reason: "installed anew" };
    expect(await releaseConsumer(bench.ledger, release)).toBe(true);
    expect(await releaseConsumer(bench.ledger, release)).toBe(false);
    second.shop.isStubborn = false;
    const rotationId = await orders.rotate();
    expect(await bench.carry(rotationId)).toMatchObject({ phase: "closed" });
    expect(await heldIn(second.file)).not.toBe(before);
    const held = second.shop.report().held.at(-1);
    expect(held !== undefined && (await accepts(orders, held))).toBe(true);
    await Promise.all([orders.shop.close(), second.shop.close()]);
  });

  it("released while the rotation runs, it is brought the version by the next step", async () => {
    const orders = await bench.register({ policy: patient });
    const second = await addShop(bench, orders);
    const before = await heldIn(second.file);
    const { credentialId } = orders;
    const asked = { versions: [1], contain: true, suspects: [second.consumerId] };
    const { rotationId = "" } = await declare(bench, credentialId, asked);
    await bench.reach(rotationId, "proven");
    expect(await heldIn(second.file)).toBe(before);
    await releaseConsumer(bench.ledger, {
      consumerId: second.consumerId,
      actor: "tok_responder",
      reason: "it was not it",
    });
    await carryAll(bench, credentialId);
    expect(await heldIn(second.file)).not.toBe(before);
    await Promise.all([orders.shop.close(), second.shop.close()]);
  });

  it("and has got the new version already has leaked that too: it is ended as well, with what else it has", async () => {
    for (const name of [1, 2]) {
      const orders = await bench.register({ policy: patient });
      const second = await addShop(bench, orders);
      await bench.reach(await orders.rotate(), "delivered");
      const logins = await loginsOf(bench, orders);
      const before = await heldIn(second.file);
      const asked = { versions: [name], contain: true, suspects: [second.consumerId] };
      const declared = await declare(bench, orders.credentialId, asked);
      expect(declared.versions).toEqual([1, 2]);
      expect(declared.alsoNamed).toEqual([{ version: 3 - name, suspects: [expect.stringContaining("/")] }]);
      await carryAll(bench, orders.credentialId);
      expect(await troubles(bench, orders, logins, [1, 2])).toEqual([]);
      expect(await heldIn(second.file)).toBe(before);
      await Promise.all([orders.shop.close(), second.shop.close()]);
    }
  });

  it("that cannot be reached keeps no rotation open whose worker died once the former value was destroyed", async () => {
    const orders = await bench.register({ policy: patient });
    const second = await addShop(bench, orders);
    const asked = { versions: [1], contain: true, suspects: [second.consumerId] };
    const { rotationId = "" } = await declare(bench, orders.credentialId, asked);
    await bench.reach(rotationId, "promoted");
    await rename(second.file, `${second.file}.away`);
    await mkdir(second.file);
    const scene = await bench.begin(rotationId, "close");
    const { custody } = scene.deps;
    const dies: typeof custody = {
      ...custody,
      async forget(ref) {
        await custody.forget(ref);
        throw new Error("the worker dies here");
      },
    };
    await expect(close({ ...scene, deps: { ...scene.deps, custody: dies } })).rejects.toThrow("the worker dies here");
    expect(await bench.carry(rotationId)).toMatchObject({ phase: "closed" });
    expect((await readRotation(bench, rotationId)).hold).toBeNull();
    await Promise.all([orders.shop.close(), second.shop.close()]);
  });

  it("that is the only consumer is cut off at the deadline, and the emergency is over although it has nothing new", async () => {
    const orders = await bench.register({ policy: patient });
    const before = await heldIn(orders.file);
    const logins = await loginsOf(bench, orders);
    const { credentialId, consumerId } = orders;
    const { emergencyId } = await declare(bench, credentialId, { versions: [1], suspects: [consumerId] });
    const outcome = async () => {
      const { rows } = await sql<{ outcome: string | null }>`
        SELECT outcome FROM emergencies WHERE id = ${emergencyId}`.execute(bench.ledger.db);
      return rows[0]?.outcome ?? null;
    };
    await carryAll(bench, credentialId, async () => (await outcome()) !== null);
    expect(await outcome()).toBe("proven");
    expect(await openRotation(bench, credentialId)).toBeDefined();
    expect(await heldIn(orders.file)).toBe(before);
    for (const login of logins) expect(await accepts(orders, login)).toBe(false);
    await releaseConsumer(bench.ledger, { consumerId, actor: "tok_responder", reason: "installed anew" });
    await carryAll(bench, credentialId);
    expect(await heldIn(orders.file)).not.toBe(before);
    await orders.shop.close();
  });
});
