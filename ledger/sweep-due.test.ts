import { sql } from "kysely";
import { beforeEach, expect, test } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials } from "../test/harness/rows.ts";
import { closeRotations } from "./close-rotations.ts";
import { transact } from "./database.ts";
import { declareFreeze, endFreeze } from "./freezes.ts";
import { sweepDue } from "./sweep-due.ts";

let at: TestLedger;

beforeEach(async () => {
  at = await withLedger();
});

/** Their current version is an hour old. */
async function aged(howMany: number, policy: object = everyMinute): Promise<readonly string[]> {
  const ids = await makeCredentials(at.ledger, howMany);
  await sql`UPDATE versions SET created_at = clock_timestamp() - interval '1 hour' WHERE credential_id = ANY(${[...ids]})
    `.execute(at.ledger.db);
  await setPolicy(ids, policy);
  return ids;
}

const everyMinute = { schedule: { kind: "every", everyMs: 60_000 } };

const setPolicy = (ids: readonly string[], policy: object) =>
  sql`UPDATE credentials SET policy = ${JSON.stringify(policy)}::jsonb WHERE id = ANY(${[...ids]})`.execute(
    at.ledger.db,
  );

async function open(): Promise<readonly { id: string; credential_id: string; reason: string }[]> {
  const { rows } = await sql<{ id: string; credential_id: string; reason: string }>`
    SELECT id, credential_id, reason FROM rotations WHERE outcome IS NULL ORDER BY id`.execute(at.ledger.db);
  return rows;
}

const opened = async () => (await open()).map(({ credential_id }) => credential_id);

async function column(id: string, name: "due_at" | "begins_at" | "not_before" | "failures" | "refused_code") {
  const { rows } = await sql<{ value: unknown }>`
    SELECT ${sql.ref(name)} AS value FROM credentials WHERE id = ${id}`.execute(at.ledger.db);
  return rows[0]?.value;
}

const cap = (table: "connections" | "teams" | "environments", most: number) =>
  sql`UPDATE ${sql.table(table)} SET max_concurrent = ${most}`.execute(at.ledger.db);

async function close(rotationId: string, outcome: "proven" | "undone", code?: string): Promise<void> {
  await sql`UPDATE rotations SET last_code = ${code ?? null} WHERE id = ${rotationId}`.execute(at.ledger.db);
  await transact(at.ledger, (trx) => closeRotations(trx, [{ rotationId, outcome }]));
}

test("what is due is reserved with its reason, once; what is not and what nobody schedules is left", async () => {
  const [due = ""] = await aged(1);
  await aged(1, { schedule: { kind: "every", everyMs: 7_200_000 } });
  await aged(1, {});
  expect(await sweepDue(at.ledger)).toEqual({ reserved: 1, isMore: false });
  expect(await open()).toMatchObject([{ credential_id: due, reason: "due by its schedule" }]);
  expect(await sweepDue(at.ledger)).toEqual({ reserved: 0, isMore: false });
});

test("three periods that were missed are one rotation", async () => {
  const [id = ""] = await aged(1, { schedule: { kind: "every", everyMs: 1_000_000 } });
  await sweepDue(at.ledger);
  const [first] = await open();
  await transact(at.ledger, async (trx) => {
    await sql`INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key)
      SELECT 'ver_new', id, connection_id, 3, 'live', 'new' FROM credentials WHERE id = ${id}`.execute(trx);
    await sql`UPDATE credentials SET current_version = 3 WHERE id = ${id}`.execute(trx);
  });
  await close(first?.id ?? "", "proven");
  expect(await sweepDue(at.ledger)).toEqual({ reserved: 0, isMore: false });
  expect((await column(id, "due_at")) as Date).toSatisfy((due: Date) => due.getTime() > Date.now());
});

test.each(["connections", "teams", "environments"] as const)("the cap of %s is never passed", async (table) => {
  await aged(5);
  await cap(table, 2);
  const both = await Promise.all([sweepDue(at.ledger), sweepDue(at.ledger), sweepDue(at.ledger)]);
  expect(both.reduce((sum, { reserved }) => sum + reserved, 0)).toBe(2);
  expect(await open()).toHaveLength(2);
  const [one] = await open();
  await close(one?.id ?? "", "undone");
  await sweepDue(at.ledger);
  expect(await open()).toHaveLength(2);
});

test("a connection takes ten at once where its manifest says nothing, and others are not kept waiting by it", async () => {
  await aged(15);
  const others = await aged(3);
  await sweepDue(at.ledger);
  expect(await open()).toHaveLength(13);
  expect(await opened()).toEqual(expect.arrayContaining([...others]));
});

test("the most critical come first, then those that have been due for longest", async () => {
  const [low = "", old = "", critical = ""] = await aged(3);
  await cap("connections", 1);
  await sql`UPDATE credentials SET inventory = '{"criticality": "low"}' WHERE id = ${low}`.execute(at.ledger.db);
  await sql`UPDATE credentials SET inventory = '{"criticality": "critical"}' WHERE id = ${critical}`.execute(
    at.ledger.db,
  );
  for (const expected of [critical, low, old]) {
    await sweepDue(at.ledger);
    const [one] = await open();
    expect(one?.credential_id).toBe(expected);
    await close(one?.id ?? "", "undone", "rights_missing");
  }
});

test("what fails is begun again later and later, and after three for one reason by a person only", async () => {
  const [id = ""] = await aged(1, { ...everyMinute, backOffMs: 1_000_000 });
  const waits: number[] = [];
  for (const _ of [1, 2, 3]) {
    await sql`UPDATE credentials SET not_before = NULL`.execute(at.ledger.db);
    await sweepDue(at.ledger);
    const [one] = await open();
    await close(one?.id ?? "", "undone", "rights_missing");
    expect(await sweepDue(at.ledger)).toMatchObject({ reserved: 0 });
    waits.push(Math.round((((await column(id, "not_before")) as Date).getTime() - Date.now()) / 1_000_000));
  }
  expect(waits).toEqual([1, 2, 4]);
  await sql`UPDATE credentials SET not_before = NULL`.execute(at.ledger.db);
  expect(await sweepDue(at.ledger)).toMatchObject({ reserved: 0 });
  expect(await column(id, "failures")).toBe(3);
});

test("failures for different reasons do not add up", async () => {
  const [id = ""] = await aged(1);
  for (const code of ["rights_missing", "rights_missing", "system_sealed"]) {
    await sql`UPDATE credentials SET not_before = NULL`.execute(at.ledger.db);
    await sweepDue(at.ledger);
    const [one] = await open();
    await close(one?.id ?? "", "undone", code);
  }
  expect(await column(id, "failures")).toBe(1);
});

test("what cannot be reserved says why, and keeps nobody else waiting", async () => {
  const [clashing = "", other = ""] = await aged(2);
  await sql`UPDATE credentials SET principals = '{shared}' WHERE id = ${clashing}`.execute(at.ledger.db);
  const [twin = ""] = await makeCredentials(at.ledger, 1, { principals: ["shared"] });
  await sql`UPDATE connections SET identity = 'one' WHERE id IN (
    SELECT connection_id FROM credentials WHERE id IN (${clashing}, ${twin}))`.execute(at.ledger.db);
  expect(await sweepDue(at.ledger)).toEqual({ reserved: 1, isMore: false });
  expect(await opened()).toEqual([other]);
  expect(await column(clashing, "refused_code")).toBe("principal_claimed");
  expect(await sweepDue(at.ledger)).toEqual({ reserved: 0, isMore: false });
});

test("a freeze keeps what it is about from beginning, until it ends or is ended", async () => {
  const [frozen = ""] = await aged(1);
  const [other = ""] = await aged(1);
  const { rows } = await sql<{ team_id: string }>`SELECT team_id FROM credentials WHERE id = ${frozen}`.execute(
    at.ledger.db,
  );
  const teamId = rows[0]?.team_id ?? "";
  const until = new Date(Date.now() + 3_600_000);
  const freeze = { teamId, environmentId: null, reason: "quarter's end", until, actor: "tok_test" };
  expect(await declareFreeze(at.ledger, { ...freeze, until: new Date(0) })).toBeUndefined();
  const id = (await declareFreeze(at.ledger, freeze)) ?? "";
  await sweepDue(at.ledger);
  expect(await opened()).toEqual([other]);
  expect(await column(frozen, "begins_at")).toEqual(until);
  expect(await endFreeze(at.ledger, id, "tok_test")).toBe(true);
  expect(await endFreeze(at.ledger, id, "tok_test")).toBe(false);
  await sweepDue(at.ledger);
  expect(await opened()).toEqual(expect.arrayContaining([frozen, other]));
});

test("a window that passed while nobody swept is not used: the next one is", async () => {
  const [id = ""] = await aged(1);
  await sweepReckonsOnly(id);
  const day = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(new Date().getUTCDay() + 3) % 7];
  // As if reckoned in a window that has closed since.
  await sql`UPDATE credentials SET policy = ${JSON.stringify({
    ...everyMinute,
    windows: { timeZone: "UTC", openings: [{ days: [day], from: "10:00", to: "11:00" }] },
  })}::jsonb WHERE id = ${id}`.execute(at.ledger.db);
  await sql`UPDATE credentials SET is_reckoned = true, not_before = NULL, begins_at = clock_timestamp() WHERE id = ${id}
    `.execute(at.ledger.db);
  await sql`UPDATE credentials SET is_reckoned = true WHERE id = ${id}`.execute(at.ledger.db);
  expect(await sweepDue(at.ledger)).toEqual({ reserved: 0, isMore: false });
  expect(await sweepDue(at.ledger)).toEqual({ reserved: 0, isMore: false });
  expect((await column(id, "begins_at")) as Date).toSatisfy((begins: Date) => begins.getTime() > Date.now());
});

async function sweepReckonsOnly(id: string): Promise<void> {
  await setPolicy([id], { ...everyMinute, pause: { reason: "not yet", until: "2999-01-01T00:00:00Z" } });
  await sweepDue(at.ledger);
}

test("a credential that somebody works on keeps nobody waiting: the sweep leaves it for the next time", async () => {
  const [held = ""] = await aged(1);
  await sweepReckonsOnly(held);
  await setPolicy([held], everyMinute);
  const [free = ""] = await aged(1);
  await transact(at.ledger, async (trx) => {
    await sql`SELECT FROM credentials WHERE id = ${held} FOR UPDATE`.execute(trx);
    expect(await sweepDue(at.ledger)).toEqual({ reserved: 1, isMore: false });
  });
  expect(await opened()).toEqual([free]);
  await sweepDue(at.ledger);
  expect(await opened()).toEqual(expect.arrayContaining([held, free]));
});
