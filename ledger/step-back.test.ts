import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { transact } from "./database.ts";
import { outdateOpenOperations, completeOperations, takeTurns, type Turn } from "./operations.ts";
import { readCases } from "./rotation-cases.ts";
import { stepBackToDrained, takeEnableTurn } from "./step-back.ts";
import { readOperations } from "./undo-progress.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const set = async (rotationId: string, phase: string, direction = "forward") =>
  sql`UPDATE rotations SET phase = ${phase}, direction = ${direction} WHERE id = ${rotationId}`.execute(test.ledger.db);

async function disabled(): Promise<string> {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  await set(rotationId, "disabled");
  await sql`
    UPDATE versions v SET state = 'disabled' FROM rotations r
    WHERE r.id = ${rotationId} AND v.credential_id = r.credential_id AND v.number = r.from_version`.execute(
    test.ledger.db,
  );
  return rotationId;
}

async function standing(rotationId: string) {
  const one = (await readCases(test.ledger.db, [rotationId])).get(rotationId);
  const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM holds WHERE rotation_id = ${rotationId}`.execute(
    test.ledger.db,
  );
  return { phase: one?.phase, former: one?.from?.state, holds: rows[0]?.n };
}

async function taken(rotationId: string): Promise<Turn> {
  const turn = await takeEnableTurn(test.ledger, rotationId);
  if (turn === undefined) throw new Error("no turn was given");
  return turn;
}

async function stepBack(rotationId: string, turn: Turn): Promise<void> {
  const one = (await readCases(test.ledger.db, [rotationId])).get(rotationId);
  const gap = { code: "consumer_unhealthy", key: "consumer_unhealthy:con_shop", text: "gone" } as const;
  await stepBackToDrained(test.ledger, {
    rotationId,
    credentialId: one?.credentialId ?? "",
    turn,
    versionId: one?.from?.versionId ?? "",
    code: gap.code,
    detail: gap.text,
    gaps: [gap],
  });
}

describe("enabling the old version again because a consumer broke without it", () => {
  it("goes back to drained with the old version live, and asks a person", async () => {
    const rotationId = await disabled();
    await stepBack(rotationId, await taken(rotationId));
    expect(await standing(rotationId)).toEqual({ phase: "drained", former: "live", holds: 1 });
  });

  it.each([
    ["revoking", "forward"],
    ["drained", "forward"],
    ["disabled", "undo"],
  ])("invariant 7: gets no turn once the rotation is %s and goes %s", async (phase, direction) => {
    const rotationId = await disabled();
    await set(rotationId, phase, direction);
    expect(await takeEnableTurn(test.ledger, rotationId)).toBeUndefined();
  });

  it.each([
    ["revoking", "forward"],
    ["disabled", "undo"],
  ])("invariant 7: that comes late records nothing once the rotation is %s and goes %s", async (phase, direction) => {
    const rotationId = await disabled();
    const turn = await taken(rotationId);
    await set(rotationId, phase, direction);
    await stepBack(rotationId, turn);
    expect(await standing(rotationId)).toEqual({ phase, former: "disabled", holds: 0 });
  });

  it("invariant 10: does not count as the undo's own enabling", async () => {
    const rotationId = await disabled();
    await stepBack(rotationId, await taken(rotationId));
    const operations = await readOperations(test.ledger.db, rotationId);
    expect(operations.filter(({ step }) => step === "enable")).toEqual([
      { step: "enable", target: "guard", isDone: true },
    ]);
  });
});

describe("an operation that is done a second time", () => {
  const disable = (rotationId: string) => ({ rotationId, step: "disable" as const });

  async function doneOnce(rotationId: string): Promise<void> {
    await transact(test.ledger, async (trx) => completeOperations(trx, await takeTurns(trx, [disable(rotationId)])));
  }

  it("invariant 7: is open again meanwhile, so that a change of control outdates it with the others", async () => {
    const rotationId = await disabled();
    await doneOnce(rotationId);
    const late = await transact(test.ledger, async (trx) => takeTurns(trx, [disable(rotationId)]));
    await transact(test.ledger, async (trx) => outdateOpenOperations(trx, [rotationId]));
    const recorded = transact(test.ledger, async (trx) => completeOperations(trx, late));
    await expect(recorded).rejects.toMatchObject({ code: "claim_outdated" });
  });

  it("invariant 15: leaves an audit row of its own", async () => {
    const rotationId = await disabled();
    await doneOnce(rotationId);
    await doneOnce(rotationId);
    const { rows } = await sql<{ n: number }>`
      SELECT count(*) AS n FROM audit WHERE rotation_id = ${rotationId} AND action = 'operation.done'`.execute(
      test.ledger.db,
    );
    expect(rows[0]?.n).toBe(2);
  });
});
