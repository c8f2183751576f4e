import { sql } from "kysely";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settleDue } from "../../ledger/emergencies.ts";
import { listEmergencies } from "../../ledger/emergency-views.ts";
import { declareFreeze } from "../../ledger/freezes.ts";
import { days } from "../../domain/routine.ts";
import { say } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";
import { carryAll, declare, loginsOf, meet, openRotation, troubles } from "./scene.ts";

let bench: StepBench;

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(async () => bench?.close());

const patient = { holdAfterMs: 300_000 };

/** What stood in its way and was recorded as overridden, in the order of the audit trail. */
async function overridden(credentialId: string): Promise<readonly string[]> {
  const { rows } = await sql<{ what: string }>`
    SELECT details ->> 'what' AS what FROM audit
    WHERE credential_id = ${credentialId} AND action = 'emergency.overrode' ORDER BY id`.execute(bench.ledger.db);
  return rows.map(({ what }) => what);
}

async function freeze(credentialId: string): Promise<void> {
  const { rows } = await sql<{ team_id: string }>`
    SELECT team_id FROM credentials WHERE id = ${credentialId}`.execute(bench.ledger.db);
  await declareFreeze(bench.ledger, {
    ...{ teamId: rows[0]?.team_id ?? null, environmentId: null, reason: "quarter end", actor: "tok_operator" },
    until: new Date(Date.now() + 3_600_000),
  });
}

/** A day of the week that neither is nor begins within two days, whatever the hour. */
const farDay = days[(new Date().getUTCDay() + 2) % 7] ?? "mon";
const closedNow = { timeZone: "UTC", openings: [{ days: [farDay], from: "03:00", to: "04:00" }] };

describe("what keeps routine work", () => {
  it("does not keep an emergency of a rotation that is paused, frozen and outside its window; each is on record", async () => {
    const orders = await bench.register({ policy: patient });
    const { credentialId } = orders;
    const logins = await loginsOf(bench, orders);
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "issued");
    await sql`UPDATE credentials SET policy = policy || ${JSON.stringify({ windows: closedNow })}::jsonb
      WHERE id = ${credentialId}`.execute(bench.ledger.db);
    await freeze(credentialId);
    await say(bench, rotationId, { kind: "pause" });
    expect((await bench.take(rotationId, "deliver")).now).toBe("wait");
    const { declared } = await meet(bench, orders, { versions: [1], contain: false });
    expect(declared.how).toBe("upgrade");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    expect(await overridden(credentialId)).toEqual(["window", "freeze", "pause"]);
    await orders.shop.close();
  });

  it("may have spent its share of the connection's requests: an emergency has one of its own", async () => {
    const orders = await bench.register({ policy: patient });
    const { credentialId } = orders;
    const { db } = bench.ledger;
    const logins = await loginsOf(bench, orders);
    const { rows } = await sql<{ id: string }>`
      UPDATE connections SET requests_per_second = 50
      WHERE id = (SELECT connection_id FROM credentials WHERE id = ${credentialId}) RETURNING id`.execute(db);
    const id = rows[0]?.id ?? "";
    const spent: boolean[] = [];
    const budgets: StepBench["deps"]["budgets"] = {
      async spend(_, isUrgent) {
        spent.push(isUrgent);
        return Promise.resolve(isUrgent ? 0 : 3_600_000);
      },
    };
    const take: StepBench["take"] = async (rotationId, step) =>
      bench.take(rotationId, step, { ...bench.deps, budgets });
    await meet({ ...bench, take }, orders, { versions: [1], contain: true });
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    expect(new Set(spent)).toEqual(new Set([true]));
    await sql`UPDATE connections SET requests_per_second = NULL WHERE id = ${id}`.execute(db);
    await orders.shop.close();
  });

  it("that begins after the emergency was declared is on record too, each once however many steps pass it over", async () => {
    for (const contain of [true, false]) {
      const orders = await bench.register({ policy: patient });
      const { credentialId } = orders;
      const logins = await loginsOf(bench, orders);
      const { rotationId = "" } = await declare(bench, credentialId, { versions: [1], contain, deadlineMs: 300_000 });
      await bench.reach(rotationId, "issued");
      expect(await overridden(credentialId)).toEqual([]);
      await freeze(credentialId);
      await bench.reach(rotationId, contain ? "proven" : "promoted");
      expect(await overridden(credentialId)).toEqual(["freeze"]);
      await sql`UPDATE credentials SET policy = policy || ${JSON.stringify({ windows: closedNow })}::jsonb
        WHERE id = ${credentialId}`.execute(bench.ledger.db);
      await carryAll(bench, credentialId);
      expect(await troubles(bench, orders, logins, [1])).toEqual([]);
      expect(await overridden(credentialId)).toEqual(["freeze", "window"]);
      await orders.shop.close();
    }
  });

  it("is not said to be overridden by what is urgent without an emergency, which has nobody's reason", async () => {
    const orders = await bench.register({ policy: patient });
    const rotationId = await orders.rotate();
    await freeze(orders.credentialId);
    await say(bench, rotationId, { kind: "expedite" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await overridden(orders.credentialId)).toEqual([]);
    await orders.shop.close();
  });

  it("does not keep one from beginning, after failures and while the policy is paused", async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const orders = await bench.register({ policy: { ...patient, pause: { reason: "peak", until } } });
    const { credentialId } = orders;
    const logins = await loginsOf(bench, orders);
    await sql`UPDATE credentials SET failures = 1, failed_code = 'target_drift',
      not_before = clock_timestamp() + interval '1 hour' WHERE id = ${credentialId}`.execute(bench.ledger.db);
    await meet(bench, orders, { versions: [1], contain: true });
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    expect(await overridden(credentialId)).toEqual(["policy-pause", "back-off"]);
    await orders.shop.close();
  });

  it("does not keep one of a rotation that waits for a person", async () => {
    const orders = await bench.register({ policy: { holdAfterMs: 500 } });
    orders.shop.isStubborn = true;
    const logins = await loginsOf(bench, orders);
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    expect((await readRotation(bench, rotationId)).hold?.code).toBe("evidence_missing");
    const declared = await declare(bench, orders.credentialId, { versions: [1], contain: true });
    expect([declared.how, declared.rotationId]).toEqual(["upgrade", rotationId]);
    orders.shop.isStubborn = false;
    await carryAll(bench, orders.credentialId, async () => {
      const { hold } = await readRotation(bench, rotationId);
      if (hold !== null) await bench.answer(rotationId, "retry");
      return false;
    });
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    expect(await overridden(orders.credentialId)).toEqual(["hold"]);
    await orders.shop.close();
  });
});

describe("a routine rotation that begins after an emergency that could not", () => {
  it("one that could not begin is carried by it at once, and is not looked at every second for that", async () => {
    const orders = await bench.register({ policy: patient });
    const { credentialId } = orders;
    const { ledger } = bench;
    const logins = await loginsOf(bench, orders);
    const adopt = async (version: number | null) =>
      sql`UPDATE credentials SET current_version = ${version} WHERE id = ${credentialId}`.execute(ledger.db);
    await adopt(null);
    const asked = { versions: [1], contain: false, deadlineMs: 300_000 };
    expect((await declare(bench, credentialId, asked)).how).toBe("refused");
    await adopt(1);
    const rotationId = await orders.rotate();
    expect(await bench.read(rotationId)).toMatchObject({ urgent: false });
    expect(await settleDue(ledger)).toBe(1);
    expect(await bench.read(rotationId)).toMatchObject({ urgent: true });
    const { rows } = await sql`
      SELECT rotation_id, refused_code FROM emergencies WHERE credential_id = ${credentialId}`.execute(ledger.db);
    expect(rows).toEqual([{ rotation_id: rotationId, refused_code: null }]);
    expect(await settleDue(ledger)).toBe(0);
    // Nor is one that waits for what runs to end.
    await bench.reach(rotationId, "delivered");
    expect((await declare(bench, credentialId, { ...asked, versions: [1, 2] })).how).toBe("successor");
    expect(await settleDue(ledger)).toBe(0);
    await declare(bench, credentialId, { ...asked, contain: true });
    await carryAll(bench, credentialId);
    expect(await troubles(bench, orders, logins, [1, 2])).toEqual([]);
    await orders.shop.close();
  });
});

describe("two emergencies of one credential at once", () => {
  it("begin one rotation, and both end proven", async () => {
    const orders = await bench.register({ policy: patient });
    const { credentialId } = orders;
    const logins = await loginsOf(bench, orders);
    const both = await Promise.all([
      declare(bench, credentialId, { versions: [1], contain: false }),
      declare(bench, credentialId, { contain: true }),
    ]);
    expect(both.map(({ how }) => how).toSorted()).toEqual(["join", "reserved"]);
    expect(new Set(both.map(({ rotationId }) => rotationId)).size).toBe(1);
    await carryAll(bench, credentialId);
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await orders.shop.close();
  });
});

describe("versions that nothing can be done about", () => {
  it("nothing begins for one that is dead, was let go without proof or never made; an unknown one is named", async () => {
    const orders = await bench.register({ policy: patient });
    const { credentialId } = orders;
    await meet(bench, orders, { versions: [1], contain: true });
    const open = async () => openRotation(bench, credentialId);
    expect(await declare(bench, credentialId, { versions: [1] })).toMatchObject({ how: "dead", dead: [1] });
    await sql`UPDATE versions SET state = 'accepted-unproven' WHERE credential_id = ${credentialId} AND number = 1`.execute(
      bench.ledger.db,
    );
    const letGo = await declare(bench, credentialId, { versions: [1] });
    expect(letGo).toMatchObject({ how: "dead", dead: [], unproven: [1] });
    expect(await declare(bench, credentialId, { versions: [2, 9] })).toMatchObject({
      how: "unknown-version",
      missing: [9],
    });
    expect(await open()).toBeUndefined();
    const rotationId = await orders.rotate();
    expect(await declare(bench, credentialId, { versions: [3] })).toMatchObject({ how: "dead", unmade: [3] });
    expect(await open()).toBe(rotationId);
    const { rows } = await sql`SELECT FROM emergencies WHERE credential_id = ${credentialId}`.execute(bench.ledger.db);
    expect(rows).toHaveLength(1);
    await orders.shop.close();
  });

  it("invariant 2: one that is being issued just now is given up, and what its attempt made late is not left", async () => {
    const orders = await bench.register({ policy: patient });
    const { credentialId } = orders;
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    await bench.begin(rotationId, "issue");
    const declared = await declare(bench, credentialId, { versions: [2] });
    expect(declared).toMatchObject({ how: "successor", versions: [2] });
    await carryAll(bench, credentialId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    const { rows } = await sql`
      SELECT outcome FROM emergencies WHERE credential_id = ${credentialId}`.execute(bench.ledger.db);
    expect(rows).toEqual([{ outcome: "proven" }]);
    const { rows: waits } = await sql`
      SELECT FROM audit WHERE credential_id = ${credentialId} AND action = 'emergency.waits'`.execute(bench.ledger.db);
    expect(waits).toHaveLength(1);
    const [second = ""] = orders.logins.slice(1);
    const [role] = await bench.issuer.ask(`SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = '${second}'`);
    expect(role).toEqual({ login: false });
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});

describe("trouble around it", () => {
  /** So few and so short that the patience of routine work is over at once. */
  const impatient = { ...patient, attempts: 2, retryFirstMs: 20, retryLongestMs: 50 };
  const standing = async (emergencyId: string | undefined) => {
    const all = await listEmergencies(bench.ledger.db, { onlyOpen: false, limit: 100 });
    return all.find(({ id }) => id === emergencyId)?.trouble;
  };

  it("the issuer is away for longer than routine work is patient: nobody is asked, it is said, and it ends proven", async () => {
    const orders = await bench.register({ policy: impatient });
    const { credentialId } = orders;
    const logins = await loginsOf(bench, orders);
    const asked = { versions: [1], contain: true, deadlineMs: 300_000 };
    const { rotationId = "", emergencyId } = await declare(bench, credentialId, asked);
    await bench.reach(rotationId, "revoking");
    await bench.issuer.halt();
    const ending = carryAll(bench, credentialId);
    const tries = async () => {
      const trouble = await standing(emergencyId);
      if (trouble?.isHeld === true) throw new Error("A person is asked.");
      return trouble?.attempts ?? 0;
    };
    while ((await tries()) <= impatient.attempts + 2) await pause(20);
    expect(await standing(emergencyId)).toMatchObject({ code: "issuer_unreachable", isHeld: false });
    await bench.issuer.resume();
    await ending;
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    const { rows } = await sql`SELECT FROM holds WHERE rotation_id = ${rotationId}`.execute(bench.ledger.db);
    expect(rows).toEqual([]);
    expect(await standing(emergencyId)).toBeNull();
    await orders.shop.close();
  });

  it("the issuer is away until the deadline: a person is asked after it, and an answer goes on", async () => {
    const orders = await bench.register({ policy: impatient });
    const { credentialId } = orders;
    const logins = await loginsOf(bench, orders);
    const { rotationId = "", emergencyId } = await declare(bench, credentialId, { versions: [1], contain: true });
    await bench.reach(rotationId, "revoking");
    await sql`UPDATE emergencies SET deadline = clock_timestamp() + interval '1 second' WHERE id = ${emergencyId}`.execute(
      bench.ledger.db,
    );
    await bench.issuer.halt();
    await carryAll(bench, credentialId, async () => (await readRotation(bench, rotationId)).hold !== null);
    expect((await readRotation(bench, rotationId)).hold?.code).toBe("issuer_unreachable");
    const { rows } = await sql`
      SELECT FROM emergencies e JOIN holds h ON h.rotation_id = ${rotationId} AND h.opened_at > e.deadline
      WHERE e.id = ${emergencyId}`.execute(bench.ledger.db);
    expect(rows).toHaveLength(1);
    expect(await standing(emergencyId)).toMatchObject({ code: "issuer_unreachable", isHeld: true });
    await bench.issuer.resume();
    await bench.answer(rotationId, "retry");
    await carryAll(bench, credentialId);
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await orders.shop.close();
  });

  it("the ledger's clock jumps over the deadline: it contains at once, and no earlier", async () => {
    const orders = await bench.register({ policy: patient });
    orders.shop.isStubborn = true;
    const { credentialId } = orders;
    const logins = await loginsOf(bench, orders);
    const { rotationId = "" } = await declare(bench, credentialId, { versions: [1], deadlineMs: 3_600_000 });
    await bench.reach(rotationId, "delivered");
    await carryAll(bench, credentialId, async () => Promise.resolve(true));
    expect(await bench.read(rotationId)).toMatchObject({ order: "overlap" });
    // All that is stored is an hour older than it was.
    const by = sql`interval '1 hour'`;
    await sql`UPDATE emergencies SET created_at = created_at - ${by}, deadline = deadline - ${by}`.execute(
      bench.ledger.db,
    );
    await sql`UPDATE rotations SET created_at = created_at - ${by}, phase_since = phase_since - ${by},
      asked_since = asked_since - ${by}, looked_at = looked_at - ${by}, wait_until = wait_until - ${by}
      WHERE outcome IS NULL`.execute(bench.ledger.db);
    orders.shop.isStubborn = false;
    await carryAll(bench, credentialId);
    expect(await bench.read(rotationId)).toMatchObject({ order: "contain-first" });
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await orders.shop.close();
  });
});
