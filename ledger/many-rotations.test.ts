import { sql, type KyselyPlugin } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { TransientError } from "../domain/errors.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { beginSteps } from "./begin-steps.ts";
import { readDispatches } from "./carriers.ts";
import { openLedger, type Ledger } from "./database.ts";
import { failSteps, finishSteps, waitSteps } from "./finish-steps.ts";
import { readCases } from "./rotation-cases.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const carrier = { workflow: "rotate/test", run: "run" };
const allCarried = (ids: readonly string[]) => ids.map((rotationId) => ({ rotationId, carrier }));

/** The ledger, counting the statements that are sent through it. */
function counted(ledger: Ledger): { readonly ledger: Ledger; statements(): number } {
  let count = 0;
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      count += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return { ledger: { ...ledger, db: ledger.db.withPlugin(plugin) }, statements: () => count };
}

async function walk(ledger: Ledger, rotationIds: readonly string[]): Promise<void> {
  const begun = await beginSteps(ledger, { step: "issue", carried: allCarried(rotationIds) });
  const cases = await readCases(ledger.db, rotationIds);
  const [first] = cases.values();
  if (first === undefined) throw new Error("There is nothing to walk.");
  const { rotationId: waiting, direction, lookedAt } = first;
  await waitSteps(ledger, [{ rotationId: waiting, direction, lookedAt, waitMs: 0 }]);
  await finishSteps(
    ledger,
    [...cases.values()].map(({ rotationId, order, phase, to, lookedAt: began }) => {
      const found = begun.get(rotationId);
      const turn = found?.acts === true ? found.turn : undefined;
      return {
        rotationId,
        order,
        from: phase,
        turn,
        lookedAt: began,
        versions: [{ versionId: to.versionId, state: "live" }],
      };
    }),
  );
}

describe("steps on many rotations", () => {
  it("need as many statements for fifty as for one", async () => {
    const one = counted(test.ledger);
    await walk(one.ledger, await makeRotations(test.ledger, 1));
    const many = counted(test.ledger);
    const rotations = await makeRotations(test.ledger, 50);
    await walk(many.ledger, rotations);
    expect(many.statements()).toBe(one.statements());
    const cases = await readCases(test.ledger.db, rotations);
    expect([...cases.values()].every(({ phase, to }) => phase === "issued" && to.state === "live")).toBe(true);
  });

  it("take the start row away and name the carrier with the first claim", async () => {
    const rotations = await makeRotations(test.ledger, 3);
    await beginSteps(test.ledger, { step: "preflight", carried: allCarried(rotations) });
    const { starts } = await readDispatches(test.ledger.db, { silentMs: 60_000, atMost: 1_000 });
    expect(starts.filter((id) => rotations.includes(id))).toEqual([]);
    const { rows } = await sql<{ n: number }>`
      SELECT count(*) AS n FROM rotations WHERE id = ANY(${rotations}) AND carrier_workflow = ${carrier.workflow}`.execute(
      test.ledger.db,
    );
    expect(rows[0]?.n).toBe(3);
  });

  it("fail one by one: a passing reason waits, and after its attempts a person is asked", async () => {
    const [rotationId = "", fellow = ""] = await makeRotations(test.ledger, 2);
    const error = new TransientError("issuer_unreachable", "The issuer did not answer. Start it, then retry.");
    const lookedAt = (await readCases(test.ledger.db, [rotationId])).get(rotationId)?.lookedAt ?? "";
    const fail = async () => failSteps(test.ledger, [{ rotationId, step: "issue", lookedAt, error }]);
    expect((await fail()).get(rotationId)).toMatchObject({ now: "wait" });
    for (let attempt = 2; attempt <= 8; attempt += 1) await fail();
    const begun = await beginSteps(test.ledger, { step: "issue", carried: allCarried([rotationId, fellow]) });
    expect(begun.get(rotationId)).toMatchObject({ acts: false, answer: { now: "wait" } });
    expect(begun.get(fellow)).toMatchObject({ acts: true });
    const { rows } = await sql<{ code: string }>`
      SELECT code FROM holds WHERE rotation_id = ${rotationId} AND decided_at IS NULL`.execute(test.ledger.db);
    expect(rows).toEqual([{ code: "issuer_unreachable" }]);
  });

  it("invariant 7: a failure of an attempt that lost its turn leaves no trace", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    const take = async () => {
      const begun = (await beginSteps(test.ledger, { step: "issue", carried: [{ rotationId, carrier }] })).get(
        rotationId,
      );
      return begun?.acts === true ? begun.turn : undefined;
    };
    const late = await take();
    await take();
    const error = new TransientError("issuer_unreachable", "The issuer did not answer. Start it, then retry.");
    await failSteps(test.ledger, [{ rotationId, step: "issue", turn: late, lookedAt: "", error }]);
    const { rows } = await sql<{ attempts: number; last_code: string | null }>`
      SELECT attempts, last_code FROM rotations WHERE id = ${rotationId}`.execute(test.ledger.db);
    expect(rows).toEqual([{ attempts: 0, last_code: null }]);
  });
});

describe("with 100,000 rotations", () => {
  it("no statement of a step or a dispatch reads a whole table", async () => {
    const own = await withLedger();
    const [template = ""] = await makeRotations(own.ledger, 1);
    await sql`
      INSERT INTO credentials (id, team_id, environment_id, connection_id, name, kind, rotation_order, config, principals, policy)
      SELECT 'crd_' || lpad(n::text, 26, '0'), c.team_id, c.environment_id, c.connection_id, 'bulk-' || n, c.kind,
        c.rotation_order, c.config, c.principals, c.policy
      FROM generate_series(1, 100000) n, (SELECT c.* FROM credentials c LIMIT 1) c`.execute(own.ledger.db);
    await sql`
      INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key)
      SELECT 'ver_' || lpad(n::text, 26, '0'), 'crd_' || lpad(n::text, 26, '0'), c.connection_id, 1, 'live', n::text
      FROM generate_series(1, 100000) n, (SELECT connection_id FROM credentials LIMIT 1) c`.execute(own.ledger.db);
    await sql`
      INSERT INTO rotations (id, credential_id, rotation_order, phase, outcome, to_version, policy, pinned, requested_by, closed_at)
      SELECT 'rot_' || lpad(n::text, 26, '0'), 'crd_' || lpad(n::text, 26, '0'), 'overlap', 'closed', 'proven', 1,
        '{}', '{"consumers": {}}', 'tok_bulk', clock_timestamp()
      FROM generate_series(1, 100000) n`.execute(own.ledger.db);
    await sql`
      INSERT INTO operations (id, rotation_id, step, claim_epoch, claim_number, state)
      SELECT 'op_' || lpad(n::text, 26, '0'), 'rot_' || lpad(n::text, 26, '0'), 'issue', 1, 1, 'done'
      FROM generate_series(1, 100000) n`.execute(own.ledger.db);
    await sql`ANALYZE`.execute(own.ledger.db);
    // One connection, so that its statistics can be asked for.
    const alone = openLedger(own.url, { connections: 1 });
    const readRows = async (): Promise<number> => {
      await sql`SELECT pg_stat_force_next_flush()`.execute(alone.db);
      await sql`SELECT 1`.execute(alone.db);
      const { rows } = await sql<{ read: number }>`
        SELECT sum(seq_tup_read)::int AS read FROM pg_stat_user_tables
        WHERE relname IN ('credentials', 'versions', 'rotations', 'operations')`.execute(alone.db);
      return rows[0]?.read ?? -1;
    };
    const before = await readRows();
    await walk(alone, [template]);
    await readDispatches(alone.db, { silentMs: 0, atMost: 100 });
    expect((await readRows()) - before).toBeLessThan(1_000);
    // The witness itself can see a whole table being read.
    await sql`SELECT count(*) FROM rotations WHERE requested_by = 'nobody'`.execute(alone.db);
    expect((await readRows()) - before).toBeGreaterThanOrEqual(100_000);
    await alone.close();
    await own.close();
  });
});
