import { sql } from "kysely";
import { setTimeout as pause } from "node:timers/promises";
import { rush } from "../../activities/rush.ts";
import { versionRef } from "../../custody/refs.ts";
import type { Phase } from "../../domain/order.ts";
import { readPlace } from "../../ledger/begin-steps.ts";
import { declareEmergency, settleDue, type Declared, type EmergencyRequest } from "../../ledger/emergencies.ts";
import type { Registered } from "../harness/registered.ts";
import { say } from "../harness/say.ts";
import type { StepBench } from "../harness/step-bench.ts";

/** Where a rotation is when an emergency is declared. */
export interface Moment {
  readonly order: "overlap" | "single-slot";
  /** The phase that it has reached; absent: there is no rotation. */
  readonly phase?: Exclude<Phase, "closed"> | undefined;
  /** It is being undone, and so many parts of its undo are done. */
  readonly undone?: number;
}

export const named = ["former", "candidate", "both"] as const;
export type Named = (typeof named)[number];

export interface Login {
  readonly number: number;
  readonly user: string;
  readonly password: string;
}

/** What the oracle saw. */
export interface Seen {
  readonly declared: Declared;
  /** Milliseconds until each version that was named was refused, by number. */
  readonly refusedAfterMs: ReadonlyMap<number, number>;
}

/** Brings a credential to the moment; answers with its rotation, if there is one. */
export async function bringTo(bench: StepBench, orders: Registered, moment: Moment): Promise<string | undefined> {
  if (moment.phase === undefined) return undefined;
  const rotationId = await orders.rotate();
  await bench.reach(rotationId, moment.phase);
  if (moment.undone === undefined) return rotationId;
  await say(bench, rotationId, { kind: "abort" });
  for (let part = 0; part < moment.undone; part += 1) {
    const answer = await bench.take(rotationId, "undo");
    if (answer.now === "over") break;
  }
  return rotationId;
}

/** The logins of the versions that have a value, as custody holds them now. */
export async function loginsOf(
  bench: Pick<StepBench, "ledger" | "custody">,
  { credentialId }: Registered,
): Promise<readonly Login[]> {
  const { rows } = await sql<{ id: string; number: number; pool: string; instance: string }>`
    SELECT v.id, v.number, n.pool, i.id AS instance FROM versions v JOIN connections n ON n.id = v.connection_id
    CROSS JOIN instance i
    WHERE v.credential_id = ${credentialId} AND v.state IN ('live', 'disabled', 'ended') ORDER BY v.number`.execute(
    bench.ledger.db,
  );
  const found = await Promise.all(
    rows.map(async ({ id: versionId, number, pool, instance }) => {
      const value = await bench.custody.get(versionRef({ instance, credentialId, number, versionId, pool }));
      const { username, password } = value ?? {};
      if (typeof username !== "string" || password === undefined || typeof password === "string") return [];
      return [{ number, user: username, password: password.reveal() }];
    }),
  );
  return found.flat();
}

export async function declare(
  bench: StepBench,
  credentialId: string,
  asked: Partial<EmergencyRequest>,
): Promise<Declared> {
  const declared = await declareEmergency(bench.ledger, {
    ...{ credentialId, reason: "leaked", actor: "tok_responder", deadlineMs: 1_500, atDeadline: "contain" },
    ...{ suspects: [], contain: false, ...asked },
  });
  if (declared === undefined) throw new Error("There is no such credential.");
  return declared;
}

/** Declares an emergency and carries everything that follows until it is closed, while an oracle logs in. */
export async function meet(
  bench: StepBench,
  orders: Registered,
  asked: Pick<EmergencyRequest, "versions" | "contain"> & Partial<EmergencyRequest>,
): Promise<Seen> {
  const { credentialId } = orders;
  const logins = await loginsOf(bench, orders);
  const began = performance.now();
  const declared = await declare(bench, credentialId, asked);
  const watched = logins.filter(({ number }) => declared.versions.includes(number));
  const refusedAfterMs = new Map<number, number>();
  let isOver = false;
  const watching = watched.map(async ({ number, user, password }) => {
    while (!isOver && !refusedAfterMs.has(number)) {
      if ((await bench.issuer.logsIn(user, password, orders.database)) !== "accepted")
        refusedAfterMs.set(number, performance.now() - began);
      else await pause(10);
    }
  });
  try {
    await carryAll(bench, credentialId);
  } finally {
    isOver = true;
    await Promise.all(watching);
  }
  return { declared, refusedAfterMs };
}

const isOpen = async (bench: StepBench, credentialId: string): Promise<boolean> => {
  const { rows } = await sql`
    SELECT FROM emergencies WHERE credential_id = ${credentialId} AND outcome IS NULL`.execute(bench.ledger.db);
  return rows.length > 0;
};

export async function openRotation(bench: StepBench, credentialId: string): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM rotations WHERE credential_id = ${credentialId} AND outcome IS NULL`.execute(bench.ledger.db);
  return rows[0]?.id;
}

/**
 * Every rotation of the credential until no emergency is open and none runs, as a worker carries them; or until what is
 * asked for is so.
 */
export async function carryAll(
  bench: StepBench,
  credentialId: string,
  until: () => Promise<boolean> = async () => Promise.resolve(false),
): Promise<void> {
  const end = performance.now() + 90_000;
  while (performance.now() < end) {
    await settleDue(bench.ledger);
    if (await until()) return;
    const rotationId = await openRotation(bench, credentialId);
    if (rotationId === undefined && !(await isOpen(bench, credentialId))) return;
    if (rotationId === undefined) continue;
    const answer = await rush({
      place: async () => readPlace(bench.ledger, rotationId),
      take: async (step) => bench.take(rotationId, step),
      mustQueue: () => false,
    });
    // What the orchestrator would sleep for; a look is never longer away than this.
    if (answer.now === "wait") await pause(Math.min(answer.waitMs, 50));
  }
  const { rows } = await sql`
    SELECT r.id, r.rotation_order, r.phase, r.direction, r.last_code, h.code, h.detail
    FROM rotations r LEFT JOIN holds h ON h.rotation_id = r.id AND h.decided_at IS NULL
    WHERE r.credential_id = ${credentialId}`.execute(bench.ledger.db);
  throw new Error(`An emergency did not end: ${JSON.stringify(rows)}`);
}

/** What is wrong after an emergency, looked at from outside and by plain SQL. Sentences; none when all is well. */
export async function troubles(
  bench: StepBench,
  orders: Registered,
  logins: readonly Login[],
  compromised: readonly number[],
): Promise<readonly string[]> {
  const { credentialId } = orders;
  const found: string[] = [];
  for (const { number, user, password } of logins.filter((login) => compromised.includes(login.number)))
    if ((await bench.issuer.logsIn(user, password, orders.database)) === "accepted")
      found.push(`version ${number} has leaked and is accepted`);
  const { rows: delivered } = await sql<{ version: number }>`
    SELECT d.version FROM deliveries d JOIN rotations r ON r.id = d.rotation_id
    JOIN versions v ON v.credential_id = r.credential_id AND v.number = d.version
    WHERE r.credential_id = ${credentialId} AND d.created_at > v.compromised_at`.execute(bench.ledger.db);
  found.push(...delivered.map(({ version }) => `version ${version} was delivered although it had leaked`));
  const { rows: alive } = await sql<{ number: number; state: string }>`
    SELECT number, state FROM versions WHERE credential_id = ${credentialId} AND compromised_at IS NOT NULL
      AND state <> 'proven-dead'`.execute(bench.ledger.db);
  found.push(...alive.map(({ number, state }) => `version ${number} has leaked and is ${state}`));
  const { rows: joined } = await sql<{ to_version: number }>`
    SELECT r.to_version FROM audit a JOIN rotations r ON r.id = a.rotation_id
    JOIN emergencies e ON e.id = a.details ->> 'emergency'
    WHERE a.credential_id = ${credentialId} AND r.to_version = ANY(e.versions)
      AND a.action IN ('emergency.joined', 'emergency.upgraded', 'emergency.turned-forward')`.execute(bench.ledger.db);
  found.push(
    ...joined.map(({ to_version: made }) => `what makes version ${made} was made use of although it has leaked`),
  );
  const held = orders.shop.report().held.at(-1);
  if (held === undefined || (await bench.issuer.logsIn(held.user, held.password, orders.database)) !== "accepted")
    found.push("the consumer holds what is not accepted");
  const { rows: stillOpen } = await sql<{ outcome: string | null }>`
    SELECT outcome FROM emergencies WHERE credential_id = ${credentialId} AND outcome IS DISTINCT FROM 'proven'`.execute(
    bench.ledger.db,
  );
  found.push(...stillOpen.map(({ outcome }) => `an emergency ended as ${outcome ?? "nothing"}`));
  if ((await openRotation(bench, credentialId)) !== undefined) found.push("a rotation is still open");
  return found;
}
