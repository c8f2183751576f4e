import { sql, type Kysely } from "kysely";
import { effectSteps, feltSteps, type Order, type Phase, type Step } from "../domain/order.ts";
import { defaultPolicy } from "../domain/policy.ts";
import { farWaitMs, mayAct, type StepAnswer } from "../domain/standing.ts";
import { transact, type Ledger } from "./database.ts";
import { askAnew, drainAgain, readFeltWaits } from "./felt-effects.ts";
import { promiseLooks } from "./far-looks.ts";
import { hearCommands } from "./hear-commands.ts";
import { takeTurns, type Turn } from "./operations.ts";
import { noteOverridden } from "./overridden.ts";
import { rotationState } from "./rotation-state.ts";
import type { Tables } from "./tables.ts";

/** The workflow run that carries a rotation through its steps. */
export interface Carrier {
  readonly workflow: string;
  readonly run: string;
  /** Whether it runs where nothing waits for routine work; absent: nobody asks. */
  readonly isUrgent?: boolean;
}

/** Either the step acts now, under its turn where it has an effect outside, or it answers without acting. */
export type Begun =
  | { readonly acts: true; readonly turn: Turn | undefined }
  | { readonly acts: false; readonly answer: StepAnswer };

export interface Carried {
  readonly rotationId: string;
  readonly carrier: Carrier;
}

export interface BeginCall {
  readonly step: Step | "undo";
  readonly carried: readonly Carried[];
}

/**
 * Opens a step on many rotations in one transaction: hears the commands that people have given, decides whether the
 * step may act, and stores the intent of what has an effect outside under a new claim. A rotation that does not exist
 * is left out of the answer.
 */
export function beginSteps(
  ledger: Ledger,
  { step, carried }: BeginCall,
  patience?: Patience,
): Promise<Map<string, Begun>> {
  const rotationIds = carried.map(({ rotationId }) => rotationId);
  const strolling = new Set(
    carried.flatMap(({ rotationId, carrier }) => (carrier.isUrgent === false ? rotationId : [])),
  );
  return transact(ledger, async (trx) => {
    await lockRotations(trx, rotationIds, patience);
    await hearCommands(trx, await markCarried(trx, carried));
    const states = await rotationState(trx, rotationIds);
    const begun = new Map<string, Begun>();
    for (const [rotationId, state] of states) {
      const answer =
        state.urgent && strolling.has(rotationId) && state.phase !== "closed"
          ? ({ now: "urgent" } as const)
          : mayAct(step, { ...state, isOnHold: state.hold !== undefined });
      begun.set(rotationId, answer === "act" ? { acts: true, turn: undefined } : { acts: false, answer });
    }
    // What a preflight would find then is the candidate itself, and no room for another one. A story that begins anew after a
    // crash, as what hurries does each time, goes on behind it.
    if (step === "preflight")
      for (const [id, { issueIntended }] of states)
        if (issueIntended && begun.get(id)?.acts === true) begun.set(id, { acts: false, answer: { now: "done" } });
    if (step === "undo" || !effectSteps.has(step)) return begun;
    const felt = [...states].flatMap(([id, { order }]) =>
      begun.get(id)?.acts === true && feltSteps[order].has(step) ? [id] : [],
    );
    for (const [id, answer] of await waitForWindows(trx, step, felt)) begun.set(id, { acts: false, answer });
    const acting = [...begun].filter(([, { acts }]) => acts).map(([rotationId]) => ({ rotationId, step }));
    await noteOverridden(
      trx,
      acting.flatMap(({ rotationId }) => (states.get(rotationId)?.urgent === true ? rotationId : [])),
    );
    for (const turn of await takeTurns(trx, acting)) begun.set(turn.rotationId, { acts: true, turn });
    return begun;
  });
}

/** Waiting for a window is no waiting for evidence: the time after which a person is asked begins when it is over. */
async function waitForWindows(
  trx: Kysely<Tables>,
  step: Step,
  rotationIds: readonly string[],
): Promise<ReadonlyMap<string, StepAnswer>> {
  if (rotationIds.length === 0) return new Map();
  const waits = await readFeltWaits(trx, rotationIds);
  if (step === "disable") {
    await drainAgain(trx, [...waits.keys()]);
    return new Map([...waits.keys()].map((id) => [id, { now: "again" }]));
  }
  await askAnew(trx, [...waits.keys()]);
  const far = [...waits].map(([id, { waitMs }]) => ({ id, waitMs: Math.min(waitMs, farWaitMs) }));
  await promiseLooks(trx, far);
  return new Map(far.map(({ id, waitMs }) => [id, { now: "wait", waitMs }]));
}

/**
 * How a transaction waits for rows that somebody else has: as long as it takes; not at all, where it is of many; or for a while,
 * where it is one of them that was left over. What it did not get ends it as `ledger_busy`.
 */
export type Patience = "endless" | "none" | "some";

/** What holds a row for longer is a process that has stopped, or a place outside that does not answer. Milliseconds. */
const someMs = 10_000;

/** Credentials first and in the order of their ids, as everywhere, so that nobody waits in a circle. */
export async function lockRotations(
  trx: Kysely<Tables>,
  rotationIds: readonly string[],
  waits: Patience = "endless",
): Promise<void> {
  const ids = [...rotationIds];
  const patience = waits === "none" ? sql`NOWAIT` : sql``;
  if (waits === "some") await sql`SELECT set_config('lock_timeout', ${String(someMs)}, true)`.execute(trx);
  await sql`
    WITH first AS MATERIALIZED (
      SELECT c.id FROM credentials c
      WHERE c.id IN (SELECT credential_id FROM rotations WHERE id = ANY(${ids})) ORDER BY c.id FOR UPDATE ${patience})
    SELECT id FROM rotations
    WHERE id = ANY(${ids}) AND (SELECT count(*) FROM first) >= 0 ORDER BY id FOR UPDATE ${patience}`.execute(trx);
}

/** Nobody is late by so little: a timer's grain and a full queue. Milliseconds. */
const lateMs = 10_000;
/** Longer than any two looks at a rotation that drains are apart where a worker runs, however busy. Milliseconds. */
const brokenMs = 30_000;

/**
 * The rotation has a carrier from now on, so that nobody needs to start it any more. One that comes back after nobody
 * has looked for half of the time after which a person is asked gets that time anew. A time that lies in the future is
 * from before the ledger's clock was set back: it counts as now, and a wait that would be longer than it was meant to be
 * is over. Answers with those that somebody has given a command.
 */
async function markCarried(trx: Kysely<Tables>, carried: readonly Carried[]): Promise<readonly string[]> {
  const given = JSON.stringify(
    carried.map(({ rotationId: id, carrier: { workflow, run, isUrgent = false } }) => ({
      id,
      workflow,
      run,
      isUrgent,
    })),
  );
  const { rows } = await sql<{ id: string }>`
    WITH carried AS (
      UPDATE rotations r SET carrier_workflow = g.workflow, carrier_run = g.run,
        carrier_urgent = g."isUrgent", looked_at = clock_timestamp(), looks_by = NULL, wakes = false,
        back_since = CASE
          WHEN clock_timestamp() - greatest(looked_at, wait_until, asked_since) > interval '1 millisecond' * greatest(
            ${lateMs}::float8, least(coalesce((policy ->> 'holdAfterMs')::float8, ${defaultPolicy.holdAfterMs}) / 2,
              -- what is watched without a break is watched anew after one
              CASE WHEN phase = 'promoted' THEN ${brokenMs}::float8 END))
            OR back_since > clock_timestamp()
          THEN clock_timestamp() ELSE back_since END,
        phase_since = least(phase_since, clock_timestamp()), asked_since = least(asked_since, clock_timestamp()),
        wait_until = CASE
          WHEN wait_until > clock_timestamp() + wait_ms * interval '1 millisecond' THEN NULL ELSE wait_until END
      FROM jsonb_to_recordset(${given}::jsonb) AS g (id text, workflow text, run text, "isUrgent" boolean)
      WHERE r.id = g.id RETURNING r.id
    ), started AS (DELETE FROM starts s USING carried WHERE s.rotation_id = carried.id)
    SELECT id FROM carried
    WHERE EXISTS (SELECT FROM commands m WHERE m.rotation_id = carried.id AND m.state = 'pending')`.execute(trx);
  return rows.map(({ id }) => id);
}

/** Where a rotation stands now: an emergency may have changed its order. Undefined when there is none. */
export async function readPlace(
  ledger: Ledger,
  rotationId: string,
): Promise<{ readonly order: Order; readonly phase: Phase } | undefined> {
  const { rows } = await sql<{ order: Order; phase: Phase }>`
    SELECT rotation_order AS order, phase FROM rotations WHERE id = ${rotationId}`.execute(ledger.db);
  return rows[0];
}
