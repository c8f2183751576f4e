import { sql } from "kysely";
import { beforeEach, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials } from "../test/harness/rows.ts";
import { closeRotations } from "./close-rotations.ts";
import { transact } from "./database.ts";
import { defaultMaxConcurrent, sweepDue } from "./sweep-due.ts";

let at: TestLedger;
beforeEach(async () => {
  at = await withLedger();
});

const everyDay = { schedule: { kind: "every", everyMs: 86_400_000 } };

/** All that the ledger has noted of time lies so much earlier: to the ledger its clock has jumped forward; negative: back. */
async function jump(days: number): Promise<void> {
  const by = sql`${-days} * interval '1 day'`;
  await sql`UPDATE versions SET created_at = created_at + ${by}`.execute(at.ledger.db);
  await sql`UPDATE rotations SET created_at = created_at + ${by}, phase_since = phase_since + ${by},
    asked_since = asked_since + ${by}, looked_at = looked_at + ${by}, closed_at = closed_at + ${by}`.execute(
    at.ledger.db,
  );
  await sql`UPDATE credentials SET due_at = due_at + ${by}, begins_at = begins_at + ${by}, not_before = not_before + ${by},
    policy = policy`.execute(at.ledger.db);
}

async function scheduled(howMany: number): Promise<readonly string[]> {
  const ids = await makeCredentials(at.ledger, howMany);
  await sql`UPDATE credentials SET policy = ${JSON.stringify(everyDay)}::jsonb WHERE id = ANY(${[...ids]})`.execute(
    at.ledger.db,
  );
  return ids;
}

/** Sweeps as long as there is more to do, and answers with what is open then. */
async function sweepAll(): Promise<readonly { readonly id: string; readonly credential_id: string }[]> {
  while ((await sweepDue(at.ledger)).isMore);
  const { rows } = await sql<{ id: string; credential_id: string }>`
    SELECT id, credential_id FROM rotations WHERE outcome IS NULL ORDER BY id`.execute(at.ledger.db);
  return rows;
}

/** Each ends as proven, with a version that was made now. */
async function prove(rotations: readonly { readonly id: string; readonly credential_id: string }[]): Promise<void> {
  await sql`UPDATE versions SET created_at = clock_timestamp()
    WHERE credential_id = ANY(${rotations.map(({ credential_id }) => credential_id)})`.execute(at.ledger.db);
  await transact(at.ledger, (trx) =>
    closeRotations(
      trx,
      rotations.map(({ id }) => ({ rotationId: id, outcome: "proven" })),
    ),
  );
  await sql`UPDATE credentials SET is_reckoned = false`.execute(at.ledger.db);
}

const countOf = async (): Promise<readonly number[]> =>
  (
    await sql<{ n: number }>`
    SELECT count(*)::int AS n FROM rotations GROUP BY credential_id ORDER BY credential_id`.execute(at.ledger.db)
  ).rows.map(({ n }) => n);

describe("a clock that jumps forward", () => {
  it("invariant 17: begins no storm: the caps are kept, everything comes in its turn, and each once", async () => {
    const ids = await scheduled(3 * defaultMaxConcurrent + 5);
    expect(await sweepAll()).toEqual([]);
    await jump(400);
    for (let left = ids.length; left > 0; left -= defaultMaxConcurrent) {
      const open = await sweepAll();
      expect(open).toHaveLength(Math.min(left, defaultMaxConcurrent));
      await prove(open);
    }
    expect(await sweepAll()).toEqual([]);
    expect(await countOf()).toEqual(ids.map(() => 1));
  });

  it("begins nothing beside what is open already", async () => {
    await scheduled(1);
    await jump(2);
    const [open] = await sweepAll();
    await jump(400);
    expect(await sweepAll()).toEqual([open]);
  });
});

describe("a clock that is set back", () => {
  it("begins nothing twice: what was done before comes again when its period has passed since", async () => {
    await scheduled(2);
    await jump(2);
    await prove(await sweepAll());
    await jump(-1);
    expect(await sweepAll()).toEqual([]);
    expect(await countOf()).toEqual([1, 1]);
    await jump(1.9);
    expect(await sweepAll()).toEqual([]);
    await jump(0.2);
    await prove(await sweepAll());
    expect(await countOf()).toEqual([2, 2]);
  });

  it("begins nothing beside what is open, and what was due waits no longer than the clock went back", async () => {
    const [first = ""] = await scheduled(1);
    await jump(2);
    const [open] = await sweepAll();
    const [second = ""] = await scheduled(1);
    await jump(2);
    await jump(-3);
    expect((await sweepAll()).map(({ credential_id }) => credential_id)).toEqual([first]);
    await jump(3);
    expect((await sweepAll()).map(({ credential_id }) => credential_id).toSorted()).toEqual([first, second].toSorted());
    expect((await sweepAll())[0]).toEqual(open);
  });
});
