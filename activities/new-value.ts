import { PermanentError, RekeyError } from "../domain/errors.ts";
import { lockRotations } from "../ledger/begin-steps.ts";
import { transact } from "../ledger/database.ts";
import { assertTurnStands, type Turn } from "../ledger/operations.ts";
import { readCases, type RotationCase } from "../ledger/rotation-cases.ts";
import { changeVersions } from "../ledger/versions.ts";
import type { IssuerDefinition, IssuerSession } from "../providers/contract/issuer.ts";
import { Secret } from "../providers/contract/secret.ts";
import { assertFit, type Value } from "../providers/contract/value.ts";
import { effect, refOf } from "./reach.ts";
import type { StepDeps } from "./step-deps.ts";

export interface NewValue {
  readonly handle: string;
  readonly value: Value;
}

/**
 * The candidate's value where we choose it: in custody before any issuer hears of it, and the same in every attempt,
 * whatever an attempt before this one had chosen.
 */
export async function newValue(
  deps: StepDeps,
  one: RotationCase,
  session: IssuerSession,
  definition: IssuerDefinition,
  turn: Turn,
): Promise<NewValue> {
  if (session.choose === undefined)
    throw new PermanentError("internal", `The issuer ${definition.kind} lets rekey choose but has no way to do so.`);
  const { operationKey, number } = one.to;
  const ref = refOf(one, one.to);
  const kept = await deps.custody.get(ref);
  const value =
    kept ?? (await chosen(deps, one, definition, session.choose({ operationKey, version: number, keep: one.keep })));
  const handle = definition.handleOf(definition.configSchema.parse(one.config), value, number);
  const fingerprint = fingerprintOf(deps, definition, value);
  // From here an undo knows what to end, or this attempt learns that there was one.
  try {
    await transact(deps.ledger, async (trx) => {
      await lockRotations(trx, [one.rotationId]);
      await assertTurnStands(trx, turn, "forward");
      await changeVersions(trx, [{ versionId: one.to.versionId, handle, ...fingerprint }]);
    });
  } catch (error) {
    if (error instanceof RekeyError && error.code === "claim_outdated") await forgetUnused(deps, one);
    throw error;
  }
  return { handle, value };
}

/** What a version is recognised by later, to go into its row. */
export function fingerprintOf(
  { fingerprints }: StepDeps,
  { authenticator }: IssuerDefinition,
  value: Value,
): { readonly fingerprint?: string } {
  const secret = value[authenticator];
  return secret instanceof Secret ? { fingerprint: fingerprints.of(secret) } : {};
}

/**
 * What a late attempt has put into custody for a version that was given up meanwhile opens nothing. A newer attempt that
 * goes forward shares the value, and one that has a handle may be in force at the issuer until it was seen dead: both
 * are left alone.
 */
export async function forgetUnused(deps: StepDeps, one: RotationCase): Promise<void> {
  const now = (await readCases(deps.ledger.db, [one.rotationId])).get(one.rotationId);
  if (now === undefined) return;
  const { direction, phase, to } = now;
  const isGivenUp = direction === "undo" || phase === "closed";
  if (to.state === "proven-dead" || (to.handle === undefined && isGivenUp)) await deps.custody.forget(refOf(now, to));
}

async function chosen(
  deps: StepDeps,
  one: RotationCase,
  definition: IssuerDefinition,
  choosing: Promise<{ readonly value: Value }>,
): Promise<Value> {
  const { value } = await choosing;
  assertFit(value, definition.fields);
  return effect("choose", async () => deps.custody.putIfAbsent(refOf(one, one.to), value));
}
