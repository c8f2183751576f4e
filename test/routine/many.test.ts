// By hand with more of them than the suite has time for, and with the figures printed:
//   REKEY_TEST_ROUTINE=500 npx vitest run test/routine/many.test.ts
// Two cores that nothing else needs take half an hour for 500. Where they are slower, REKEY_TEST_ROUTINE_EVERY=2000 (the
// milliseconds of the schedule for each credential, 400 without it) leaves them more time.
import { setTimeout as pause } from "node:timers/promises";
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

const howMany = Number(process.env["REKEY_TEST_ROUTINE"] ?? 18);
const isByHand = howMany > 50;
/** The schedules ask for somewhat less than one rotation in so long, and two cores have to be able to. */
const eachMs = Number(process.env["REKEY_TEST_ROUTINE_EVERY"] ?? 400);
const everyMs = Math.max(15_000, howMany * eachMs);
const longestMs = everyMs * 1.5;
const caps = isByHand ? { team: 8, environment: 20 } : { team: 3, environment: 7 };
const teams = 3;
/** Each is proven twice after its second period at the latest; a backlog may double that, and registering comes first. */
const patienceMs = Math.max(180_000, 6 * longestMs);
/** Polling a thousand rotations without a rest would be most of the work. */
const restMs = isByHand ? 2_000 : 0;

/** Intervals of several lengths, some spread by jitter, and a cron expression. */
const schedules: readonly { readonly schedule: Schedule; readonly jitterMs?: number }[] = [
  { schedule: { kind: "every", everyMs } },
  { schedule: { kind: "every", everyMs: everyMs * 1.25 }, jitterMs: 5_000 },
  { schedule: { kind: "every", everyMs: longestMs } },
  {
    schedule: {
      kind: "cron",
      cron: `*/${Math.max(1, Math.round(everyMs / 60_000))} * * * *`,
      timeZone: "Europe/Berlin",
    },
    jitterMs: 10_000,
  },
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
    report("registered");
  }, patienceMs);

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
      // What is slow because of the others is no reason to ask a person.
      const policy = JSON.stringify({ ...schedules[at % schedules.length], holdAfterMs: 120_000, attempts: 20 });
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

  interface Standing {
    readonly id: string;
    readonly proven: number;
    readonly open: number;
  }

  async function standings(): Promise<readonly Standing[]> {
    const { rows } = await sql<Standing>`
      SELECT c.id, count(*) FILTER (WHERE r.outcome = 'proven')::int AS proven,
        count(*) FILTER (WHERE r.id IS NOT NULL AND r.outcome IS NULL)::int AS open
      FROM credentials c LEFT JOIN rotations r ON r.credential_id = c.id GROUP BY c.id`.execute(world.ledger.db);
    return rows;
  }

  /** Until each has as many as are wanted of it. */
  const untilProven = (wanted: (id: string) => number) =>
    untilLedger(async () => {
      await pause(restMs);
      const all = await standings();
      const left = all.filter(({ id, proven }) => proven < wanted(id)).length;
      const sum = (count: (one: Standing) => number) => all.reduce((total, one) => total + count(one), 0);
      report(`${sum(({ proven }) => proven)} proven, ${sum(({ open }) => open)} open, ${left} credentials to go`);
      return left === 0 ? all : undefined;
    });

  it(
    "each rotates when it is due and never before, the caps are never passed, and what is delivered is let in",
    async () => {
      await untilProven(() => 2);
      const all = await rotations();
      for (const { credential_id: credentialId, begunMs, bornMs, policy } of all) {
        const due = dueOf({ credentialId, policy: effectivePolicy(policy), bornMs });
        expect(begunMs).toBeGreaterThanOrEqual(due?.atMs ?? Infinity);
      }
      expect(new Set(all.map(({ requested_by }) => requested_by))).toEqual(new Set(["system:sweep"]));
      expectWithinCaps(all);
      for (const role of roles) expect(await role.logsIn()).toBe("accepted");
    },
    patienceMs,
  );

  it(
    "what three missed periods have left is spread out, once each; meanwhile the alarm is raised",
    async () => {
      // Nothing is under way when the worker stops: what is, would be finished first, and be due again or not by chance.
      const never = JSON.stringify({
        schedule: { kind: "every", everyMs: 100_000_000 },
        jitterMs: 0,
        startWithinMs: 1_000,
      });
      await sql`UPDATE credentials SET policy = policy || ${never}::jsonb, is_reckoned = false`.execute(
        world.ledger.db,
      );
      await untilLedger(async () => ((await standings()).every(({ open }) => open === 0) ? true : undefined));
      await worker.stop();
      const before = new Map((await standings()).map(({ id, proven }) => [id, proven]));
      // As if the worker had been away for three of the longest periods.
      const awayMs = 3 * longestMs;
      await sql`UPDATE versions SET created_at = created_at - ${awayMs} * interval '1 millisecond'`.execute(
        world.ledger.db,
      );
      await sql`UPDATE credentials SET is_reckoned = true, due_because = 'schedule',
      due_at = clock_timestamp() - ${awayMs} * interval '1 millisecond',
      begins_at = clock_timestamp() - ${awayMs} * interval '1 millisecond'`.execute(world.ledger.db);
      await sql`UPDATE workers SET seen_at = seen_at - interval '1 hour'`.execute(world.ledger.db);
      const facts = await readStatusFacts(world.ledger.db);
      expect(statusLooks(facts, undefined).map(({ key }) => key)).toEqual(
        expect.arrayContaining(["workers", "overdue"]),
      );
      // All that is needed to be due once: an interval that none of them has reached again by the end of the test.
      const policy = JSON.stringify({ schedule: { kind: "every", everyMs: awayMs } });
      await sql`UPDATE credentials SET policy = policy || ${policy}::jsonb`.execute(world.ledger.db);
      worker = await world.startWorker();
      const restarted = performance.now();
      await untilProven((id) => (before.get(id) ?? 0) + 1);
      const standing = await untilLedger(async () => {
        const now = await standings();
        return now.every(({ open }) => open === 0) ? now : undefined;
      });
      report(`the backlog took ${((performance.now() - restarted) / 1_000).toFixed(0)} s`);
      expect(standing.map(({ id, proven }) => [id, proven])).toEqual(
        standing.map(({ id }) => [id, (before.get(id) ?? 0) + 1]),
      );
      const all = await rotations();
      expectWithinCaps(all);
      for (const role of roles) expect(await role.logsIn()).toBe("accepted");
    },
    patienceMs,
  );
});

const began = performance.now();
let reported = 0;

/** How far it is, twice a minute at most, where somebody watches. */
function report(text: string): void {
  const seconds = (performance.now() - began) / 1_000;
  if (!isByHand || (text.includes("to go") && seconds < reported + 30)) return;
  reported = seconds;
  process.stdout.write(`${seconds.toFixed(0).padStart(5)} s  ${text}\n`);
}

/** How many were open at once, of all and of each team, by the ledger's own times. */
function expectWithinCaps(all: readonly Row[]): void {
  const most = (some: readonly Row[]) =>
    Math.max(
      ...some.map(
        ({ begunMs }) => some.filter((one) => one.begunMs <= begunMs && (one.endedMs ?? Infinity) > begunMs).length,
      ),
    );
  report(`${all.length} rotations, at most ${most(all)} at once`);
  expect(most(all)).toBeLessThanOrEqual(caps.environment);
  for (const [, ofTeam] of Map.groupBy(all, ({ team_id }) => team_id))
    expect(most(ofTeam)).toBeLessThanOrEqual(caps.team);
}
