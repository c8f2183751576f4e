import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { closeRotations } from "./close-rotations.ts";
import { transact } from "./database.ts";
import { readLatestUsage, readSeenSince, recordUsage } from "./usage-samples.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

interface Session {
  readonly name: string;
}

const usage = (second: number, ...names: readonly string[]) => ({
  at: new Date(second * 1_000).toISOString(),
  sessions: { old: names.map((name) => ({ name })), new: [{ name: "moved" }] },
});

async function sampled(...samples: readonly (readonly string[])[]): Promise<string> {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  for (const [second, names] of samples.entries()) await recordUsage(test.ledger, rotationId, usage(second, ...names));
  return rotationId;
}

async function count(rotationId: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*)::int AS n FROM usage_samples WHERE rotation_id = ${rotationId}`.execute(test.ledger.db);
  return rows[0]?.n ?? -1;
}

describe("samples of who uses which version", () => {
  it("are read from the newest, as many as are asked for, oldest first", async () => {
    const rotationId = await sampled(["a"], ["b"], ["c"]);
    const found = await readLatestUsage(test.ledger.db, { rotationId, atMost: 2 });
    expect(found.map((each) => each.usage)).toEqual([usage(1, "b"), usage(2, "c")]);
  });

  it("invariant 4: tell of everybody since the step began to ask, each once and when it was last seen", async () => {
    const rotationId = await sampled(["early"], [], ["early", "pair"], ["pair"], []);
    const samples = await readLatestUsage(test.ledger.db, { rotationId, atMost: 10 });
    const seen = await readSeenSince<Session>(test.ledger.db, { rotationId, handle: "old" });
    expect(seen).toEqual({
      sessions: [
        { session: { name: "early" }, seenAt: samples[2]?.sequence },
        { session: { name: "pair" }, seenAt: samples[3]?.sequence },
      ],
      atOnce: 2,
    });
    await sql`UPDATE rotations SET asked_since = clock_timestamp() WHERE id = ${rotationId}`.execute(test.ledger.db);
    expect(await readSeenSince(test.ledger.db, { rotationId, handle: "old" })).toEqual({ sessions: [], atOnce: 0 });
  });

  it("of a handle that no sample covers tell of nobody", async () => {
    const rotationId = await sampled(["a"]);
    expect(await readSeenSince(test.ledger.db, { rotationId, handle: "none" })).toEqual({ sessions: [], atOnce: 0 });
  });

  it("are gone once the rotation is closed, and none comes after", async () => {
    const rotationId = await sampled(["a"], ["b"]);
    const other = await sampled(["a"]);
    await transact(test.ledger, async (trx) => closeRotations(trx, [{ rotationId, outcome: "undone" }]));
    expect(await count(rotationId)).toBe(0);
    await recordUsage(test.ledger, rotationId, usage(9, "late"));
    expect(await count(rotationId)).toBe(0);
    expect(await count(other)).toBe(1);
  });
});
