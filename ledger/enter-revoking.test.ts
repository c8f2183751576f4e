import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import type { Command } from "../domain/command.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { beginSteps } from "./begin-steps.ts";
import { giveCommand } from "./commands.ts";
import { transact } from "./database.ts";
import { enterRevoking, type ClearVerdict } from "./enter-revoking.ts";
import { openHolds } from "./holds.ts";
import { readCases } from "./rotation-cases.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const verdict = { clear: true, gaps: [], accepted: [], awaitsWindow: false };

/** What an attempt of the guard that begins now would cross with, once everybody has answered well. */
async function looking(rotationId: string): Promise<ClearVerdict> {
  const carrier = { workflow: "rotate/test", run: "run" };
  await beginSteps(test.ledger, { step: "guard", carried: [{ rotationId, carrier }] });
  const one = (await readCases(test.ledger.db, [rotationId])).get(rotationId);
  if (one === undefined) throw new Error("no such rotation");
  const { credentialId, order, phase, lookedAt } = one;
  return { rotationId, credentialId, order, phase, verdict, judged: {}, lookedAt };
}

async function disabled(): Promise<string> {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  await sql`UPDATE rotations SET phase = 'disabled' WHERE id = ${rotationId}`.execute(test.ledger.db);
  return rotationId;
}

const say = async (rotationId: string, command: Command) =>
  expect(await giveCommand(test.ledger, { rotationId, command, actor: "tok_operator" })).toMatchObject({ ok: true });

async function standing(rotationId: string) {
  const { rows } = await sql`
    SELECT phase, (SELECT count(*) FROM verdicts v WHERE v.rotation_id = r.id)::int AS verdicts
    FROM rotations r WHERE id = ${rotationId}`.execute(test.ledger.db);
  return rows[0];
}

describe("crossing the point of no return", () => {
  it("invariant 4: records the clear verdict and the entry together", async () => {
    const rotationId = await disabled();
    expect(await enterRevoking(test.ledger, await looking(rotationId))).toBe(true);
    expect(await standing(rotationId)).toEqual({ phase: "revoking", verdicts: 1 });
  });

  it.each(["abort", "pause", "expedite"] as const)(
    "invariant 9: %s, given while everybody was asked, is heard first",
    async (kind) => {
      const rotationId = await disabled();
      const clear = await looking(rotationId);
      await say(rotationId, { kind });
      expect(await enterRevoking(test.ledger, clear)).toBe(false);
      expect(await standing(rotationId)).toEqual({ phase: "disabled", verdicts: 0 });
    },
  );

  it.each(["abort", "pause"] as const)(
    "invariant 7: an attempt that wakes after another has heard %s does not cross",
    async (kind) => {
      const rotationId = await disabled();
      const late = await looking(rotationId);
      await say(rotationId, { kind });
      const { lookedAt } = await looking(rotationId);
      // Whoever looked last, a rotation that is turned round or stands still is not crossed with.
      for (const clear of [late, { ...late, lookedAt }]) expect(await enterRevoking(test.ledger, clear)).toBe(false);
      expect(await standing(rotationId)).toEqual({ phase: "disabled", verdicts: 0 });
    },
  );

  it("invariant 7: an attempt that was delayed leaves it to the one that has begun since", async () => {
    const rotationId = await disabled();
    const late = await looking(rotationId);
    const newer = await looking(rotationId);
    expect(await enterRevoking(test.ledger, late)).toBe(false);
    expect(await standing(rotationId)).toEqual({ phase: "disabled", verdicts: 0 });
    expect(await enterRevoking(test.ledger, newer)).toBe(true);
  });

  it("invariant 4: does not cross while a person is asked", async () => {
    const rotationId = await disabled();
    const clear = await looking(rotationId);
    const hold = { rotationId, code: "consumer_unhealthy", detail: "Mend it.", gaps: [] } as const;
    await transact(test.ledger, async (trx) => openHolds(trx, [hold]));
    expect(await enterRevoking(test.ledger, clear)).toBe(false);
    expect(await standing(rotationId)).toEqual({ phase: "disabled", verdicts: 0 });
  });
});
