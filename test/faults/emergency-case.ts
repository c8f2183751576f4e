import { sql } from "kysely";
import { setTimeout as pause } from "node:timers/promises";
import { declareEmergency } from "../../ledger/emergencies.ts";
import { declareFreeze } from "../../ledger/freezes.ts";
import { loginsOf, type Login } from "../emergency/scene.ts";
import { unrecordedOperations } from "../harness/oracle-audit.ts";
import { withLedger } from "../harness/oracle-books.ts";
import { lostValue } from "../harness/oracle-custody.ts";
import { consultEmergencyOracle } from "../harness/oracle-emergency.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import { register, type Registered } from "../harness/registered.ts";
import { say } from "../harness/say.ts";
import { readRotation, type World } from "../harness/world.ts";
import { limitMs, replaceWorker, type Lane } from "./crash-case.ts";
import { operationOf } from "./matrix-cases.ts";
import type { EmergencyCase } from "./matrix-emergencies.ts";
import { isStepCompleted } from "./step-completed.ts";

/** Far longer than a case may last: what waits for it is stuck. */
const longMs = 3_600_000;

/** What is wrong after the crash, a sentence each; none means that the case passes. */
export async function runEmergencyCase(lane: Lane, one: EmergencyCase): Promise<readonly string[]> {
  const { world, temporal } = lane;
  const { order, policy, emergency } = one;
  const orders = await register(world, { order, policy });
  try {
    const { declared } = emergency;
    if (emergency.isFrozen === true) await freeze(world, orders);
    const stranger = emergency.isFull === true ? await occupy(world, orders) : undefined;
    let leaked: readonly Login[] = [];
    if (declared === "after") {
      await lane.worker.arm(one.failpoint);
      await orders.rotate();
    } else {
      if (declared !== "at-once") await untilIn(world, await orders.rotate(), declared);
      if (one.point !== "B5") await lane.worker.arm(one.failpoint);
      leaked = await declare(world, orders, one);
    }
    const never = await crash(lane, orders, one);
    if (never !== undefined) return [`${one.name} was never reached: ${never}`];
    if (declared === "after") leaked = await declare(world, orders, one);
    const atCrash = await wrongAtCrash(world, orders, one);
    await replaceWorker(lane);
    const stuck = await untilMet(world, orders);
    if (stuck !== undefined) return [...atCrash, `invariant 11: ${stuck}`];
    const { contain } = emergency;
    // The oracle knows of nobody else: he was left alone, and goes.
    atCrash.push(...((await stranger?.leave()) ?? []));
    return [...atCrash, ...(await consultEmergencyOracle({ world, temporal, orders, order, contain, leaked }))];
  } finally {
    await orders.shop.close();
  }
}

/** Declares it, and answers with the logins that were called leaked. */
async function declare(world: World, orders: Registered, { emergency }: EmergencyCase): Promise<readonly Login[]> {
  const logins = await loginsOf(world, orders);
  const numbers = logins.map(({ number }) => number);
  const wanted = { former: numbers.slice(0, 1), candidate: numbers.slice(1), both: numbers }[emergency.names];
  const declared = await declareEmergency(world.ledger, {
    ...{ credentialId: orders.credentialId, versions: wanted, reason: "leaked", actor: "tok_responder" },
    ...{ contain: emergency.contain, deadlineMs: longMs, atDeadline: "contain", suspects: [] },
  });
  if (declared?.emergencyId === undefined) throw new Error(`No emergency was declared: ${JSON.stringify(declared)}`);
  return logins.filter(({ number }) => declared.versions.includes(number));
}

async function freeze({ ledger }: World, { credentialId }: Registered): Promise<void> {
  const { rows } = await sql<{ team_id: string }>`
    SELECT team_id FROM credentials WHERE id = ${credentialId}`.execute(ledger.db);
  const until = new Date(Date.now() + longMs);
  const actor = "tok_operator";
  await declareFreeze(ledger, {
    ...{ teamId: rows[0]?.team_id ?? null, environmentId: null, reason: "quiet", until, actor },
  });
}

async function occupy({ issuer }: World, { logins, database }: Registered) {
  const [, login = ""] = logins;
  const password = newSecret();
  await issuer.ask(`ALTER ROLE "${login}" LOGIN PASSWORD '${password}'`);
  return {
    async leave(): Promise<readonly string[]> {
      const answer = await issuer.logsIn(login, password, database);
      await issuer.ask(`ALTER ROLE "${login}" NOLOGIN PASSWORD NULL`);
      return answer === "accepted" ? [] : [`invariant 11: somebody else's login was ended (${answer}).`];
    },
  };
}

async function untilIn(world: World, rotationId: string, phase: string): Promise<void> {
  const end = performance.now() + limitMs;
  while ((await readRotation(world, rotationId)).phase !== phase) {
    if (performance.now() > end) throw new Error(`The rotation was never ${phase}.`);
    await pause(50);
  }
}

interface Row {
  readonly id: string;
  readonly phase: string;
  readonly outcome: string | null;
}

const rotationsOf = async ({ ledger }: World, { credentialId }: Registered): Promise<readonly Row[]> => {
  const { rows } = await sql<Row>`
    SELECT id, phase, outcome FROM rotations WHERE credential_id = ${credentialId} ORDER BY id`.execute(ledger.db);
  return rows;
};

/** Resolves when the worker has died by SIGKILL; else with why it has not. */
async function crash({ world, temporal, worker }: Lane, orders: Registered, one: EmergencyCase) {
  const end = performance.now() + limitMs;
  let closedAt = Infinity;
  let isAborted = false;
  for (;;) {
    const died = await Promise.race([worker.ended, pause(20, undefined)]);
    if (died !== undefined) return died === "SIGKILL" ? undefined : `the worker ended by itself (${died})`;
    const rows = await rotationsOf(world, orders);
    const now = performance.now();
    const open = rows.find(({ outcome }) => outcome === null);
    if (open === undefined && rows.length > 0) closedAt = Math.min(closedAt, now);
    // What comes after closing is a matter of moments.
    if (now > end || now > closedAt + 5_000) return JSON.stringify(rows);
    if (open !== undefined && open.phase === one.abortIn && !isAborted) {
      isAborted = true;
      await say(world, open.id, { kind: "abort" });
    }
    for (const { id } of rows)
      if (one.point === "B5" && (await isStepCompleted(temporal, id, "rush"))) worker.kill("SIGKILL");
  }
}

/** Between the death of one worker and the start of the next. */
async function wrongAtCrash(world: World, orders: Registered, one: EmergencyCase): Promise<string[]> {
  const { credentialId } = orders;
  const breaches: string[] = [];
  return withLedger(world.ledgerUrl, async (ledger) => {
    for (const { id } of await rotationsOf(world, orders))
      breaches.push(...(await unrecordedOperations(ledger, id, { mayRepeat: true })));
    const step = operationOf(one);
    const rows = await ledger(
      `SELECT FROM operations o JOIN rotations r ON r.id = o.rotation_id WHERE r.credential_id = $1 AND o.step = $2`,
      [credentialId, step],
    );
    if (step !== undefined && rows.length === 0)
      breaches.push(`invariant 3: the crash left no intent of ${step} behind.`);
    return [...breaches, ...(await lostValue(ledger, world.elsewhere, credentialId))];
  });
}

/** Undefined when every emergency of the credential has closed in time, and every rotation; else how they stand. */
async function untilMet(world: World, orders: Registered): Promise<string | undefined> {
  const end = performance.now() + limitMs;
  for (;;) {
    const rows = await rotationsOf(world, orders);
    const { rows: open } = await sql<{ id: string }>`
      SELECT id FROM emergencies WHERE credential_id = ${orders.credentialId} AND outcome IS NULL`.execute(
      world.ledger.db,
    );
    if (open.length === 0 && rows.every(({ outcome }) => outcome !== null)) return undefined;
    for (const { id, outcome } of rows) {
      if (outcome !== null) continue;
      const row = await readRotation(world, id);
      if (row.hold !== null) return `the rotation holds although nobody was needed: ${JSON.stringify(row)}`;
    }
    if (performance.now() > end)
      return `the emergency was not over in ${limitMs / 1_000} s: ${JSON.stringify({ rows, open })}`;
    await pause(50);
  }
}
