import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials, makeRotations } from "../test/harness/rows.ts";
import { newId } from "./new-id.ts";
import { completeOperations as completeOperationsIn, takeTurns as takeTurnsIn, type Turn } from "./operations.ts";
import { transact, type Ledger } from "./database.ts";
import { reserveRotations } from "./reserve-rotations.ts";

const completeOperations = (ledger: Ledger, given: Parameters<typeof completeOperationsIn>[1]) =>
  transact(ledger, (trx) => completeOperationsIn(trx, given));
const takeTurns = (ledger: Ledger, given: Parameters<typeof takeTurnsIn>[1]) =>
  transact(ledger, (trx) => takeTurnsIn(trx, given));

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

async function count(from: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.raw(from)}`.execute(test.ledger.db);
  return rows[0]?.n ?? -1;
}

const newCredentials = (howMany: number) => makeCredentials(test.ledger, howMany);
const newRotations = (howMany: number) => makeRotations(test.ledger, howMany);
const asked = (credentialId: string) => ({ credentialId, requestedBy: "tok_test", reason: "due" });

function only(turns: readonly Turn[]): Turn {
  const [turn] = turns;
  if (turn === undefined || turns.length !== 1) throw new Error(`one turn expected, not ${turns.length}`);
  return turn;
}

describe("reserving rotations", () => {
  it("stores rotation, intended version, start row and audit row for each of many at once", async () => {
    const before = await count("starts");
    const rotations = await newRotations(50);
    expect(new Set(rotations).size).toBe(50);
    expect(await count("starts")).toBe(before + 50);
    expect(
      await count(`audit WHERE action = 'rotation.reserved' AND rotation_id IN ('${rotations.join("','")}')`),
    ).toBe(50);
    expect(
      await count(`versions v JOIN rotations r ON r.credential_id = v.credential_id AND r.to_version = v.number
      WHERE v.state = 'intended' AND r.id IN ('${rotations.join("','")}')`),
    ).toBe(50);
  });

  it("invariant 7: gives two operators who ask at once the same rotation", async () => {
    const credentials = await newCredentials(5);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => reserveRotations(test.ledger, credentials.map(asked))),
    );
    for (const credentialId of credentials) {
      const found = answers
        .flatMap(({ reserved }) => reserved)
        .filter((answer) => answer.credentialId === credentialId);
      expect(new Set(found.map(({ rotationId }) => rotationId)).size).toBe(1);
      expect(found.filter(({ isNew }) => isNew)).toHaveLength(1);
    }
  });

  it("leaves out a credential that does not exist", async () => {
    expect(await reserveRotations(test.ledger, [asked(newId("credential"))])).toEqual({ reserved: [], refused: [] });
  });

  it("invariant 15: reserves nothing when the audit row cannot be written", async () => {
    const own = await withLedger();
    const shared = test;
    test = own;
    try {
      const credentials = await newCredentials(1);
      await sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no audit'; END$$`.execute(
        own.ledger.db,
      );
      await sql`CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()`.execute(
        own.ledger.db,
      );
      await expect(reserveRotations(own.ledger, credentials.map(asked))).rejects.toThrow("no audit");
      expect(await count("rotations")).toBe(0);
      expect(await count("versions WHERE state = 'intended'")).toBe(0);
      expect(await count("starts")).toBe(0);
    } finally {
      test = shared;
      await own.close();
    }
  });
});

describe("the audit row and the state it tells of", () => {
  it("invariant 15: leaves no audit row of a reservation that fails at its commit", async () => {
    const own = await withLedger();
    const shared = test;
    test = own;
    try {
      const credentials = await newCredentials(1);
      const { db } = own.ledger;
      await sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no commit'; END$$`.execute(
        db,
      );
      await sql`
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON starts DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse()`.execute(db);
      await expect(reserveRotations(own.ledger, credentials.map(asked))).rejects.toThrow("no commit");
      expect(await count("audit")).toBe(0);
      expect(await count("outbox")).toBe(0);
    } finally {
      test = shared;
      await own.close();
    }
  });
});

describe("turns", () => {
  it("gives a repeated intent the same operation and a higher claim", async () => {
    const [rotationId = ""] = await newRotations(1);
    const first = only(await takeTurns(test.ledger, [{ rotationId, step: "issue" }]));
    const second = only(await takeTurns(test.ledger, [{ rotationId, step: "issue" }]));
    expect(second.operationId).toBe(first.operationId);
    expect(second.claim.number).toBeGreaterThan(first.claim.number);
  });

  it("invariant 7: refuses to record an attempt that has lost its turn", async () => {
    const [rotationId = ""] = await newRotations(1);
    const late = only(await takeTurns(test.ledger, [{ rotationId, step: "issue" }]));
    const current = only(await takeTurns(test.ledger, [{ rotationId, step: "issue" }]));
    await expect(completeOperations(test.ledger, [late])).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await count(`operations WHERE rotation_id = '${rotationId}' AND state = 'done'`)).toBe(0);
    await completeOperations(test.ledger, [current]);
    expect(await count(`operations WHERE rotation_id = '${rotationId}' AND state = 'done'`)).toBe(1);
    await expect(completeOperations(test.ledger, [late])).rejects.toMatchObject({ code: "claim_outdated" });
  });

  it("does not outdate another operation of the same rotation", async () => {
    const [rotationId = ""] = await newRotations(1);
    const one = only(await takeTurns(test.ledger, [{ rotationId, step: "deliver", target: "con_one" }]));
    await takeTurns(test.ledger, [{ rotationId, step: "deliver", target: "con_two" }]);
    await expect(completeOperations(test.ledger, [one])).resolves.toBeUndefined();
  });

  it("invariant 8: records once what is completed several times", async () => {
    const [rotationId = ""] = await newRotations(1);
    const turn = only(await takeTurns(test.ledger, [{ rotationId, step: "issue" }]));
    await Promise.all([1, 2, 3].map(() => completeOperations(test.ledger, [turn])));
    expect(await count(`audit WHERE action = 'operation.done' AND rotation_id = '${rotationId}'`)).toBe(1);
  });

  it("records none of many when one of them is outdated", async () => {
    const rotations = await newRotations(3);
    const turns = await takeTurns(
      test.ledger,
      rotations.map((rotationId) => ({ rotationId, step: "issue" as const })),
    );
    await takeTurns(test.ledger, [{ rotationId: rotations[1] ?? "", step: "issue" }]);
    await expect(completeOperations(test.ledger, turns)).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await count(`operations WHERE rotation_id IN ('${rotations.join("','")}') AND state = 'done'`)).toBe(0);
  });

  it("gives concurrent attempts different claims, each higher than all before", async () => {
    const [rotationId = ""] = await newRotations(1);
    const turns = await Promise.all(
      Array.from({ length: 8 }, () => takeTurns(test.ledger, [{ rotationId, step: "issue" as const }])),
    );
    expect(new Set(turns.map((taken) => only(taken).claim.number)).size).toBe(8);
  });

  it("gives a closed rotation no turn", async () => {
    const [rotationId = ""] = await newRotations(1);
    await sql`
      UPDATE rotations SET phase = 'closed', outcome = 'undone', closed_at = clock_timestamp()
      WHERE id = ${rotationId}`.execute(test.ledger.db);
    expect(await takeTurns(test.ledger, [{ rotationId, step: "issue" }])).toEqual([]);
  });
});
