import { sql, type Kysely } from "kysely";
import { codes, OperatorNeededError, PermanentError, TransientError, type RekeyError } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import { isPastReturn, type Direction, type Order, type Phase } from "../domain/order.ts";
import { afterFailure, urgentLimits, type AfterFailure, type RetryLimits } from "../domain/retry.ts";
import { longestWaitMs, type StepAnswer } from "../domain/standing.ts";
import { advanceRotations } from "./advance-rotations.ts";
import { recordEvents } from "./audit.ts";
import { lockRotations, type Patience } from "./begin-steps.ts";
import { closeRotations } from "./close-rotations.ts";
import { transact, type Ledger } from "./database.ts";
import { openHolds } from "./holds.ts";
import { completeOperations, outdateOpenOperations, type Turn } from "./operations.ts";
import { rotationState } from "./rotation-state.ts";
import { readStanding, type Attempt } from "./standing-attempts.ts";
import type { Tables } from "./tables.ts";
import { changeVersions, setCurrent, type CurrentVersion, type VersionChange } from "./versions.ts";

/** A step that did what it had to do. */
export interface Finish {
  readonly rotationId: string;
  readonly order: Order;
  /** The phase it began in. */
  readonly from: Phase;
  /** Under which it acted; absent for a step that only looked. */
  readonly turn?: Turn | undefined;
  /** When it began; absent where the caller has seen to it that no newer attempt has. */
  readonly lookedAt?: string;
  readonly versions?: readonly VersionChange[];
  /** Becomes the credential's current version. */
  readonly current?: CurrentVersion | undefined;
  /** Stays in its phase: preflight. */
  readonly stays?: boolean;
}

/**
 * Records that the steps are done, each with its audit rows, in one transaction.
 * @throws {PermanentError} `claim_outdated` when another attempt or a person has taken over; then nothing is recorded.
 */
export function finishSteps(ledger: Ledger, finishes: readonly Finish[], waits?: Patience): Promise<void> {
  return transact(ledger, (trx) => finishStepsIn(trx, finishes, waits));
}

/** The same in the caller's transaction. */
export async function finishStepsIn(trx: Kysely<Tables>, finishes: readonly Finish[], waits?: Patience): Promise<void> {
  await lockRotations(
    trx,
    finishes.map(({ rotationId }) => rotationId),
    waits,
  );
  await assertStanding(trx, finishes);
  await completeOperations(
    trx,
    finishes.flatMap(({ turn }) => turn ?? []),
  );
  await changeVersions(
    trx,
    finishes.flatMap(({ versions }) => versions ?? []),
  );
  await setCurrent(
    trx,
    finishes.flatMap(({ current }) => current ?? []),
  );
  const moving = finishes.filter(({ stays }) => stays !== true);
  if (moving.length > 0) await advanceRotations(trx, moving);
}

async function assertStanding(trx: Kysely<Tables>, finishes: readonly Finish[]): Promise<void> {
  const attempts = finishes.flatMap(({ rotationId, turn, lookedAt }) =>
    lookedAt === undefined ? [] : [{ rotationId, direction: "forward", turn, lookedAt } as const],
  );
  if ((await readStanding(trx, attempts)).size === attempts.length) return;
  throw new PermanentError(
    "claim_outdated",
    "The rotation has gone on without this attempt; its result is not recorded.",
  );
}

/** A step that has to look again. */
export interface StepWait extends Attempt {
  readonly waitMs: number;
}

/**
 * Sets when each rotation is looked at again, by the ledger's clock. A look that went well forgets failed ones. One that
 * a newer attempt has outdated says nothing about when that one looks.
 */
export async function waitSteps(ledger: Ledger, waits: readonly StepWait[], patience?: Patience): Promise<void> {
  if (waits.length === 0) return;
  await transact(ledger, async (trx) => {
    await lockRotations(
      trx,
      waits.map(({ rotationId }) => rotationId),
      patience,
    );
    const standing = await readStanding(trx, waits);
    await setWaits(
      trx,
      waits.filter(({ rotationId }) => standing.has(rotationId)),
    );
    await sql`UPDATE rotations SET attempts = 0, last_code = NULL
      WHERE attempts > 0 AND id = ANY(${[...standing]})`.execute(trx);
  });
}

async function setWaits(
  trx: Kysely<Tables>,
  waits: readonly { readonly rotationId: string; readonly waitMs: number }[],
): Promise<void> {
  await sql`
    UPDATE rotations r SET wait_until = clock_timestamp() + g."waitMs" * interval '1 millisecond', wait_ms = g."waitMs"
    FROM jsonb_to_recordset(${JSON.stringify(waits)}::jsonb) AS g ("rotationId" text, "waitMs" float8)
    WHERE r.id = g."rotationId"`.execute(trx);
}

export interface StepFailure extends Omit<Attempt, "direction"> {
  readonly step: string;
  readonly error: RekeyError;
  /** What a decision on the hold has to name. */
  readonly gaps?: readonly Gap[];
}

interface FailingRow {
  readonly id: string;
  readonly credential_id: string;
  readonly attempts: number;
  readonly direction: Direction;
  readonly has_effect: boolean;
  readonly attempts_limit: number | null;
  readonly first_ms: number | null;
  readonly longest_ms: number | null;
  /** Until the last deadline of its credential's emergencies; null: none is open. */
  readonly left_ms: number | null;
}

/** Decides for each failed step what follows, and records it: a later try, a hold, the undo, or the end. */
export function failSteps(
  ledger: Ledger,
  failures: readonly StepFailure[],
  waits?: Patience,
): Promise<Map<string, StepAnswer>> {
  return transact(ledger, async (trx) => {
    const ids = failures.map(({ rotationId }) => rotationId);
    await lockRotations(trx, ids, waits);
    // The failure of an attempt that lost its say tells nothing about the one that has it.
    const attempts = failures.map((failure) => ({ ...failure, direction: directionOf(failure.step) }));
    const standing = await readStanding(trx, attempts);
    const { rows } = await sql<FailingRow>`
      UPDATE rotations r SET attempts = r.attempts + 1
      WHERE r.id = ANY(${[...standing]})
      RETURNING r.id, r.credential_id, r.attempts, r.direction,
        EXISTS (SELECT FROM operations o WHERE o.rotation_id = r.id AND o.step <> 'close') AS has_effect,
        (r.policy ->> 'attempts')::int AS attempts_limit, (r.policy ->> 'retryFirstMs')::float8 AS first_ms,
        (r.policy ->> 'retryLongestMs')::float8 AS longest_ms,
        (SELECT (extract(epoch FROM max(e.deadline) - clock_timestamp()) * 1000)::float8 FROM emergencies e
          WHERE e.credential_id = r.credential_id AND e.outcome IS NULL AND r.urgent) AS left_ms`.execute(trx);
    const states = await rotationState(trx, ids);
    const answers = new Map<string, StepAnswer>();
    for (const failure of failures) {
      const row = rows.find(({ id }) => id === failure.rotationId);
      const state = states.get(failure.rotationId);
      if (row === undefined || state === undefined) {
        const isOver = state === undefined || state.phase === "closed";
        answers.set(failure.rotationId, isOver ? { now: "over" } : standDown);
        continue;
      }
      // An attempt that has the turn and is refused at the target meets somebody else: tried again, then shown to a person.
      const { code } = failure.error;
      const isForeign = code === "claim_outdated" && (failure.turn !== undefined || row.direction === "undo");
      const next = afterFailure(
        {
          failureClass: isForeign ? "transient" : classOf(failure.error),
          code: isForeign ? "internal" : code,
          attempt: row.attempts,
          direction: row.direction,
          hasEffect: row.has_effect,
          isPastReturn: isPastReturn(state.order, state.phase, state.conditions),
        },
        limitsOf(row, isForeign),
      );
      answers.set(failure.rotationId, await follow(trx, row, failure, next));
    }
    return answers;
  });
}

/** Who meets somebody else at the target is to be seen by a person soon, an emergency or not. */
function limitsOf(row: FailingRow, isForeign: boolean): RetryLimits {
  const limits = {
    attempts: row.attempts_limit ?? 8,
    firstMs: row.first_ms ?? 500,
    longestMs: row.longest_ms ?? 60_000,
  };
  return isForeign ? limits : urgentLimits(limits, row.left_ms ?? undefined);
}

/** A newer attempt has the say: this one leaves no trace and asks again. */
const standDown: StepAnswer = { now: "wait", waitMs: 1_000 };

const directionOf = (step: string): Direction => (step === "undo" ? "undo" : "forward");

function classOf(error: RekeyError): "transient" | "operator-needed" | "permanent" {
  if (error instanceof TransientError) return "transient";
  return error instanceof OperatorNeededError ? "operator-needed" : "permanent";
}

async function follow(
  trx: Kysely<Tables>,
  row: FailingRow,
  failure: StepFailure,
  next: AfterFailure,
): Promise<StepAnswer> {
  const { rotationId, error } = failure;
  if (next.action === "stand-down") {
    await sql`UPDATE rotations SET attempts = attempts - 1 WHERE id = ${rotationId}`.execute(trx);
    return standDown;
  }
  await recordEvents(trx, [
    {
      credentialId: row.credential_id,
      rotationId,
      actor: "system:worker",
      action: "step.failed",
      details: { step: failure.step, code: error.code, why: error.detail, attempt: row.attempts, follows: next.action },
    },
  ]);
  await sql`UPDATE rotations SET last_code = ${error.code} WHERE id = ${rotationId}`.execute(trx);
  switch (next.action) {
    case "retry":
      await setWaits(trx, [{ rotationId, waitMs: next.afterMs }]);
      return { now: "wait", waitMs: Math.min(next.afterMs, longestWaitMs) };
    case "hold":
      await openHolds(trx, [{ rotationId, code: error.code, detail: error.detail, gaps: failure.gaps ?? [] }]);
      return { now: "wait", waitMs: longestWaitMs };
    case "undo":
      await turnToUndo(trx, rotationId, row.credential_id, `${codes[error.code]}.`);
      return { now: "undo" };
    case "close":
      await closeRotations(trx, [{ rotationId, outcome: next.outcome }]);
      return { now: "over" };
  }
}

/** From here the rotation only goes back. Whatever an attempt is still doing can no longer be recorded. */
async function turnToUndo(trx: Kysely<Tables>, rotationId: string, credentialId: string, why: string): Promise<void> {
  await sql`
    UPDATE rotations SET direction = 'undo', attempts = 0, wait_until = NULL, asked_since = clock_timestamp(),
      accepted_unproven = false
    WHERE id = ${rotationId}`.execute(trx);
  await outdateOpenOperations(trx, [rotationId]);
  await recordEvents(trx, [
    { credentialId, rotationId, actor: "system:worker", action: "rotation.undo-begun", details: { why } },
  ]);
}
