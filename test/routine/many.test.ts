import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { statusLooks } from "../../api/status-looks.ts";
import { dueOf } from "../../calendar/due.ts";
import { effectivePolicy, type GivenPolicy } from "../../domain/policy.ts";
import type { Schedule } from "../../domain/routine.ts";
import { newId } from "../../ledger/new-id.ts";
import { readStatusFacts } from "../../ledger/status-facts.ts";
import { makePlainRole, type PlainRole } from "../harness/plain-role.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilLedger, type World, type WorkerProcess } from "../harness/world.ts";

/** By hand more: REKEY_TEST_ROUTINE=500. */
const howMany = Number(process.env["REKEY_TEST_ROUTINE"] ?? 18);
/** A rotation takes about two seconds of two cores' time in sum; the schedule has to leave room for all of them. */
const everyMs = Math.max(15_000, howMany * 400);
const caps = { team: 3, environment: 7 };
const teams = 3;

/** Intervals of several lengths, some spread by jitter, and a cron expression. */
const schedules: readonly { readonly schedule: Schedule; readonly jitterMs?: number }[] = [
  { schedule: { kind: "every", everyMs } },
  { schedule: { kind: "every", everyMs: everyMs * 1.5 }, jitterMs: 5_000 },
  { schedule: { kind: "every", everyMs: everyMs * 2 } },
  { schedule: { kind: "cron", cron: "* * * * *", timeZone: "Europe/Berlin" }, jitterMs: 10_000 },
];

interface Row {
  readonly credential_id: string;
  readonly team_id: string;
  readonly outcome: string | null;
  readonly requested_by: string;
  readonly begunMs: number;
  readonly endedMs: number | null;
  readonly policy: GivenPolicy;
  /** When the version before was made. */
  readonly bornMs: number;
}

describe.runIf(hasTemporal)(`${howMany} credentials on real roles that rotate by themselves`, () => {
  let world: World;
  let worker: WorkerProcess;
  const roles: PlainRole[] = [];

  beforeAll(async () => {
    world = await openWorld({ environment: { REKEY_SWEEP_EVERY_MS: "1000", WORLD_SCHEDULE_MS: "1000" } });
    worker = await world.startWorker();
    const waiting = Array.from({ length: howMany }, (_, at) => at);
    const registering = Array.from({ length: 6 }, async () => {
      for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) roles.push(await makePlainRole(world));
    });
    await Promise.all(registering);
    await settle();
  });

  afterAll(async () => world?.close());

  /** Into three teams and one environment with caps, each with a policy. */
  async function settle(): Promise<void> {
    const { db } = world.ledger;
    const ids = Array.from({ length: teams }, () => newId("team"));
    for (const id of ids)
      await sql`INSERT INTO teams (id, name, max_concurrent) VALUES (${id}, ${id}, ${caps.team})`.execute(db);
    const environment = newId("environment");
    await sql`INSERT INTO environments (id, name, max_concurrent) VALUES (${environment}, ${environment}, ${caps.environment})
      `.execute(db);
    for (const [at, { credentialId }] of roles.entries()) {
      const policy = JSON.stringify(schedules[at % schedules.length]);
      await sql`UPDATE credentials SET team_id = ${ids[at % teams]}, environment_id = ${environment},
        policy = policy || ${policy}::jsonb WHERE id = ${credentialId}`.execute(db);
    }
  }

  async function rotations(): Promise<readonly Row[]> {
    const { rows } = await sql<Row>`
      SELECT r.credential_id, c.team_id, r.outcome, r.requested_by, c.policy,
        (extract(epoch FROM r.created_at) * 1000)::float8 AS "begunMs",
        (extract(epoch FROM r.closed_at) * 1000)::float8 AS "endedMs",
        (SELECT floor(extract(epoch FROM v.created_at) * 1000)::float8 FROM versions v
          WHERE v.credential_id = r.credential_id AND v.number = r.from_version) AS "bornMs"
      FROM rotations r JOIN credentials c ON c.id = r.credential_id ORDER BY r.created_at`.execute(world.ledger.db);
    return rows;
  }

  const provenOf = (all: readonly Row[], credentialId: string) =>
    all.filter((one) => one.credential_id === credentialId && one.outcome === "proven");

  const untilAllProven = (times: number) =>
    untilLedger(async () => {
      const all = await rotations();
      return roles.every(({ credentialId }) => provenOf(all, credentialId).length >= times) ? all : undefined;
    });

  it("each rotates when it is due and never before, the caps are never passed, and what is delivered is let in", async () => {
    const all = await untilAllProven(2);
    for (const { credential_id: credentialId, begunMs, bornMs, policy } of all) {
      const due = dueOf({ credentialId, policy: effectivePolicy(policy), bornMs });
      expect(begunMs).toBeGreaterThanOrEqual(due?.atMs ?? Infinity);
    }
    expect(new Set(all.map(({ requested_by }) => requested_by))).toEqual(new Set(["system:sweep"]));
    expectWithinCaps(all);
    for (const role of roles) expect(await role.logsIn()).toBe("accepted");
  });

  it("what three missed periods have left is spread out, once each; meanwhile the alarm is raised", async () => {
    await worker.stop();
    const before = new Map((await rotations()).map(({ credential_id }) => [credential_id, 0]));
    for (const one of await rotations()) before.set(one.credential_id, (before.get(one.credential_id) ?? 0) + 1);
    // As if the worker had been away for three of the longest periods.
    const awayMs = 3 * everyMs * 2;
    await sql`UPDATE versions SET created_at = created_at - ${awayMs} * interval '1 millisecond'`.execute(
      world.ledger.db,
    );
    await sql`UPDATE credentials SET is_reckoned = true, due_at = due_at - ${awayMs} * interval '1 millisecond',
      begins_at = begins_at - ${awayMs} * interval '1 millisecond',
      policy = policy || '{"startWithinMs": 1000, "schedule": {"kind": "every", "everyMs": 100000000}, "jitterMs": 0}'
      `.execute(world.ledger.db);
    await sql`UPDATE workers SET seen_at = seen_at - interval '1 hour'`.execute(world.ledger.db);
    const facts = await readStatusFacts(world.ledger.db);
    expect(statusLooks(facts, undefined).map(({ key }) => key)).toEqual(expect.arrayContaining(["workers", "overdue"]));
    // All that is needed to be due once: an interval that none of them has reached again by the end of the test.
    const policy = JSON.stringify({ schedule: { kind: "every", everyMs: awayMs } });
    await sql`UPDATE credentials SET policy = policy || ${policy}::jsonb`.execute(world.ledger.db);
    worker = await world.startWorker();
    const all = await untilLedger(async () => {
      const now = await rotations();
      const isOver = roles.every(
        ({ credentialId }) => provenOf(now, credentialId).length > (before.get(credentialId) ?? 0),
      );
      return isOver && now.every(({ outcome }) => outcome !== null) ? now : undefined;
    });
    for (const { credentialId } of roles)
      expect(all.filter((one) => one.credential_id === credentialId)).toHaveLength((before.get(credentialId) ?? 0) + 1);
    expectWithinCaps(all);
    for (const role of roles) expect(await role.logsIn()).toBe("accepted");
  });
});

/** How many were open at once, of all and of each team, by the ledger's own times. */
function expectWithinCaps(all: readonly Row[]): void {
  const most = (some: readonly Row[]) =>
    Math.max(
      ...some.map(
        ({ begunMs }) => some.filter((one) => one.begunMs <= begunMs && (one.endedMs ?? Infinity) > begunMs).length,
      ),
    );
  expect(most(all)).toBeLessThanOrEqual(caps.environment);
  for (const [, ofTeam] of Map.groupBy(all, ({ team_id }) => team_id))
    expect(most(ofTeam)).toBeLessThanOrEqual(caps.team);
}
