import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { adopted, register } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { lookForNotices, recordLastOne } from "./notice-looks.ts";
import { reckonDue } from "./reckon-due.ts";
import { transact } from "./database.ts";

let api: TestApi;
const db = () => api.deps.ledger.db;
const hour = 3_600_000;

beforeAll(async () => {
  api = await withApi(await withLedger());
  await adopted(api, "orders", "alder");
  await register(
    api,
    JSON.stringify({
      ...{ apiVersion: "rekey/v1", kind: "Notice", metadata: { name: "hook", team: "alder" } },
      spec: { format: "webhook", url: "https://alder.example.com/" },
    }),
  );
});

beforeEach(async () => {
  await sql`DELETE FROM notice_marks`.execute(db());
  await sql`DELETE FROM rotations`.execute(db());
});

/** A version so old under a policy, reckoned as the sweep does. */
async function isDue(policy: Readonly<Record<string, unknown>>, ageMs: number): Promise<void> {
  await sql`UPDATE versions SET created_at = clock_timestamp() - ${ageMs} * interval '1 millisecond'`.execute(db());
  await sql`UPDATE credentials SET policy = ${JSON.stringify(policy)}::jsonb, is_reckoned = false`.execute(db());
  await transact(api.deps.ledger, async (trx) => reckonDue(trx, 10));
}

const every = (everyMs: number) => ({ schedule: { kind: "every", everyMs } });

/** What was told by looking since the last time, with its details. */
async function told(): Promise<readonly (readonly [string, Record<string, unknown>])[]> {
  const before = await last();
  while (await lookForNotices(api.deps.ledger));
  const { rows } = await sql<{ event: string; details: Record<string, unknown> }>`
    SELECT event, body -> 'details' AS details FROM outbox WHERE id > ${before}
      AND event IN ('credential.announced', 'credential.found-overdue', 'consumer.found-last') ORDER BY id`.execute(
    db(),
  );
  return rows.map(({ event, details }) => [event, details] as const);
}

const last = async () =>
  (await sql<{ id: number }>`SELECT coalesce(max(id), 0) AS id FROM outbox`.execute(db())).rows[0]?.id ?? 0;

describe("a credential that becomes due", () => {
  it("is announced as long before as its policy says, once for each due time", async () => {
    await isDue({ ...every(10 * hour), noticeMs: 2 * hour }, 7 * hour);
    expect(await told()).toEqual([]);
    await isDue({ ...every(10 * hour), noticeMs: 4 * hour }, 7 * hour);
    expect(await told()).toMatchObject([["credential.announced", { dueAt: expect.stringMatching(/^\d{4}-.*Z$/) }]]);
    expect(await told()).toEqual([]);
  });

  it("is not announced again when a policy that leaves its due time as it is was applied, and is when that moves", async () => {
    await isDue({ ...every(10 * hour), noticeMs: 9 * hour }, 7 * hour);
    expect(await told()).toHaveLength(1);
    const reckonAgain = async (everyMs: number) => {
      const policy = JSON.stringify({ ...every(everyMs), noticeMs: 9 * hour, graceMs: 1 });
      await sql`UPDATE credentials SET policy = ${policy}::jsonb`.execute(db());
      await transact(api.deps.ledger, async (trx) => reckonDue(trx, 10));
    };
    await reckonAgain(10 * hour);
    expect(await told()).toEqual([]);
    await reckonAgain(12 * hour);
    expect(await told()).toHaveLength(1);
  });

  it("is announced to nobody where the policy says so, or no rotation comes by itself", async () => {
    await isDue({ ...every(10 * hour), noticeMs: 0 }, 7 * hour);
    expect(await told()).toEqual([]);
    await isDue({ schedule: { kind: "manual" } }, 7 * hour);
    expect(await told()).toEqual([]);
  });
});

describe("a credential that should have begun", () => {
  it("is told of once, after as long as its policy lets it wait", async () => {
    await isDue({ ...every(10 * hour), startWithinMs: hour, noticeMs: 0 }, 10.5 * hour);
    const since = async (ms: number) =>
      sql`UPDATE credentials SET begins_at = clock_timestamp() - ${ms} * interval '1 millisecond'`.execute(db());
    await since(hour / 2);
    expect(await told()).toEqual([]);
    await since(2 * hour);
    expect(await told()).toMatchObject([["credential.found-overdue", { overdueMs: expect.any(Number) }]]);
    expect(await told()).toEqual([]);
  });
});

describe("the last one to adopt", () => {
  it("is told once in each rotation", async () => {
    const { rows } = await sql<{ credentialId: string; consumerId: string }>`
      SELECT credential_id AS "credentialId", id AS "consumerId" FROM consumers`.execute(db());
    const [found = { credentialId: "", consumerId: "" }] = rows;
    const before = await last();
    for (const rotationId of ["rot_1", "rot_1", "rot_2"])
      await recordLastOne(api.deps.ledger, { rotationId, ...found });
    const { rows: events } = await sql<{ body: unknown }>`
      SELECT body FROM outbox WHERE id > ${before} AND event = 'consumer.found-last' ORDER BY id`.execute(db());
    expect(events).toMatchObject([
      { body: { rotationId: "rot_1", details: { consumer: found.consumerId } } },
      { body: { rotationId: "rot_2" } },
    ]);
  });
});
