import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { transact } from "./database.ts";
import { intendDeliveries, recordDeliveries } from "./deliveries.ts";
import { declareEmergency, releaseConsumer } from "./emergencies.ts";
import { newId } from "./new-id.ts";
import { storeConsumer } from "./registry.ts";
import { readCases } from "./rotation-cases.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

async function storeAt(rotationId: string, id: string, path: string): Promise<string> {
  const { rows } = await sql<{ credential_id: string; team_id: string }>`
    SELECT r.credential_id, c.team_id FROM rotations r JOIN credentials c ON c.id = r.credential_id
    WHERE r.id = ${rotationId}`.execute(test.ledger.db);
  const consumer = {
    id,
    credentialId: rows[0]?.credential_id ?? "",
    teamId: rows[0]?.team_id ?? "",
    name: "shop",
    kind: "file",
    target: `file:${path}`,
    config: { path },
    evidence: { collectors: {} },
  };
  await transact(test.ledger, async (trx) =>
    storeConsumer(trx, consumer, { actor: "tok_test", isNew: true, changes: [] }),
  );
  return consumer.target;
}

async function consumed() {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  const consumerId = newId("consumer");
  return { rotationId, consumerId, target: await storeAt(rotationId, consumerId, `/srv/${consumerId}.env`) };
}

const turn = async (rotationId: string) =>
  sql`UPDATE rotations SET direction = 'undo' WHERE id = ${rotationId}`.execute(test.ledger.db);

async function deliveries(rotationId: string): Promise<number | undefined> {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*) AS n FROM deliveries WHERE rotation_id = ${rotationId}`.execute(test.ledger.db);
  return rows[0]?.n;
}

async function caseOf(rotationId: string) {
  return (await readCases(test.ledger.db, [rotationId])).get(rotationId)?.consumers[0];
}

describe("the intent of a delivery", () => {
  const wish = { revision: 1, version: 2, above: 0 };

  it("invariant 7: is not stored once the rotation goes the other way", async () => {
    const back = await consumed();
    await turn(back.rotationId);
    const onward = await consumed();
    const intended = await intendDeliveries(test.ledger, [
      { ...back, ...wish, step: "deliver" },
      { ...onward, ...wish, step: "restore" },
    ]);
    expect(intended).toEqual([]);
    expect([await deliveries(back.rotationId), await deliveries(onward.rotationId)]).toEqual([0, 0]);
  });

  it("is stored for its fellows that go the right way", async () => {
    const back = await consumed();
    await turn(back.rotationId);
    const onward = await consumed();
    const intended = await intendDeliveries(test.ledger, [
      { ...back, ...wish, step: "restore" },
      { ...onward, ...wish, step: "deliver" },
      { ...back, ...wish, step: "deliver" },
    ]);
    expect(intended.map(({ rotationId, step }) => [rotationId, step])).toEqual([
      [back.rotationId, "restore"],
      [onward.rotationId, "deliver"],
    ]);
  });
});

describe("the intent of a delivery to a consumer that was edited since its step looked", () => {
  it("invariant 18: is not stored: the step looks again, and nothing lies where no undo would look", async () => {
    const { rotationId, consumerId, target } = await consumed();
    const before = (await caseOf(rotationId))?.revision ?? 0;
    const intent = { rotationId, consumerId, version: 2, step: "deliver", above: 0 } as const;
    const moved = await storeAt(rotationId, consumerId, `/srv/${consumerId}-moved.env`);
    expect(await intendDeliveries(test.ledger, [{ ...intent, target, revision: before }])).toEqual([]);
    expect(await caseOf(rotationId)).toMatchObject({ isTouched: false });
    const now = (await caseOf(rotationId))?.revision ?? 0;
    expect(await intendDeliveries(test.ledger, [{ ...intent, target: moved, revision: now }])).toHaveLength(1);
  });
});

describe("the intent of a delivery of which an emergency was declared since its step looked", () => {
  async function declare(rotationId: string, versions: readonly number[], suspects: readonly string[] = []) {
    const { rows } = await sql<{ credential_id: string }>`
      SELECT credential_id FROM rotations WHERE id = ${rotationId}`.execute(test.ledger.db);
    await declareEmergency(test.ledger, {
      ...{ credentialId: rows[0]?.credential_id ?? "", versions, suspects, reason: "leaked", actor: "tok_responder" },
      ...{ contain: false, deadlineMs: 60_000, atDeadline: "contain" },
    });
  }

  it("is not stored for what has leaked, whichever way it goes", async () => {
    const given = await consumed();
    const wish = { ...given, revision: 1, above: 0, version: 1 } as const;
    await declare(given.rotationId, [1]);
    expect(await intendDeliveries(test.ledger, [{ ...wish, step: "deliver" }])).toEqual([]);
    expect(await intendDeliveries(test.ledger, [{ ...wish, version: 2, step: "deliver" }])).toHaveLength(1);
    await turn(given.rotationId);
    expect(await intendDeliveries(test.ledger, [{ ...wish, step: "restore" }])).toEqual([]);
  });

  it("is not stored for a suspect until it is released; an undo may give back what it had", async () => {
    const given = await consumed();
    const wish = { ...given, revision: 1, above: 0, version: 2, step: "deliver" } as const;
    const { consumerId, rotationId } = given;
    await declare(rotationId, [1], [consumerId]);
    expect(await intendDeliveries(test.ledger, [wish])).toEqual([]);
    const release = { consumerId, actor: "tok_responder", reason: "it was not it" };
    await releaseConsumer(test.ledger, release);
    expect(await intendDeliveries(test.ledger, [wish])).toHaveLength(1);
    await declare(rotationId, [1], [consumerId]);
    await turn(rotationId);
    expect(await intendDeliveries(test.ledger, [{ ...wish, step: "restore" }])).toHaveLength(1);
  });
});

describe("a recorded delivery", () => {
  it("invariant 18: counts for the target that it went to, not for where the consumer reads since", async () => {
    const { rotationId, consumerId, target } = await consumed();
    const [delivery] = await intendDeliveries(test.ledger, [
      { rotationId, consumerId, target, revision: 1, version: 2, step: "deliver", above: 0 },
    ]);
    if (delivery === undefined) throw new Error("no delivery was intended");
    await recordDeliveries(test.ledger, [{ delivery, digest: "digest" }]);
    expect(await caseOf(rotationId)).toMatchObject({ delivery: { version: 2 }, isTouched: true });
    await storeAt(rotationId, consumerId, `/srv/${consumerId}-moved.env`);
    expect(await caseOf(rotationId)).toMatchObject({ delivery: undefined, isTouched: true });
  });
});
