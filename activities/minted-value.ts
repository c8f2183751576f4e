import { PermanentError, RekeyError, TransientError } from "../domain/errors.ts";
import { lockRotations } from "../ledger/begin-steps.ts";
import { transact } from "../ledger/database.ts";
import { assertTurnStands, type Turn } from "../ledger/operations.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import { changeVersions, forgetHandle } from "../ledger/versions.ts";
import type { Issued, IssuerDefinition, IssuerSession } from "../providers/contract/issuer.ts";
import { assertFit, type Value } from "../providers/contract/value.ts";
import { endLeftovers, leftoversAmong } from "./leftovers.ts";
import { fingerprintOf, forgetUnused } from "./new-value.ts";
import { effect, refOf } from "./reach.ts";
import type { StepDeps } from "./step-deps.ts";

export interface MintedValue {
  readonly handle: string;
  readonly value: Value;
  readonly effectiveAt?: string;
}

/**
 * The candidate where the issuer makes the value and shows it once. Three places have to agree before it counts: the
 * issuer has the key, the ledger its handle, custody its value. The handle is recorded first, under the turn, so that of
 * several attempts one alone puts its value into custody; a repeat takes what it finds there only where that is the
 * value of the recorded handle. In all other cases nobody has the value any more: the issuer ends what the operation
 * made before and makes another.
 */
export async function mintedValue(
  deps: StepDeps,
  one: RotationCase,
  session: IssuerSession,
  definition: IssuerDefinition,
  turn: Turn,
): Promise<MintedValue> {
  const { handle: recorded, effectiveAt } = one.to;
  const kept = await deps.custody.get(refOf(one, one.to));
  const nameOf = (value: Value): string =>
    definition.handleOf(definition.configSchema.parse(one.config), value, one.to.number);
  if (kept !== undefined && recorded !== undefined && nameOf(kept) === recorded)
    return { handle: recorded, value: kept, ...(effectiveAt === undefined ? {} : { effectiveAt }) };
  await giveUpRecorded(deps, one, turn);
  const made = await mint(one, session, turn);
  await recordMade(deps, one, session, definition, turn, made);
  assertFit(made.value, definition.fields);
  // It exists nowhere else: it rests in custody before anything is asked of it.
  const value = await effect("keep", async () => deps.custody.putIfAbsent(refOf(one, one.to), made.value));
  if (nameOf(value) !== made.handle)
    throw new PermanentError(
      "custody_missing",
      `The value of version ${one.to.number} of ${one.credentialName} found its place in custody taken by that of an attempt that had lost its turn. The version is given up: rotate anew.`,
    );
  await assertStillOurs(deps, one, turn);
  await endLeftovers(deps, one, session, turn, made.handle);
  return { handle: made.handle, value, effectiveAt: made.effectiveAt };
}

/**
 * The issuer is about to end what was made before. A value that an older attempt still brings to custody may no longer
 * be taken for the candidate by a newer one: this call could end it late, under everybody's feet.
 */
async function giveUpRecorded(deps: StepDeps, one: RotationCase, turn: Turn): Promise<void> {
  if (one.to.handle === undefined) return;
  await transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [one.rotationId]);
    await assertTurnStands(trx, turn, "forward");
    await forgetHandle(trx, one.to.versionId);
  });
}

async function mint(one: RotationCase, session: IssuerSession, turn: Turn): Promise<Issued> {
  const { operationKey, handle = "" } = one.to;
  const request = { operationKey, claim: turn.claim, keep: one.keep, handle };
  try {
    const made = await effect("issue", async () => session.issue(request));
    if (!one.keep.includes(made.handle)) return made;
    throw new PermanentError(
      "handle_taken",
      "The issuer answered with the handle of a version that is in use. Nothing was ended; look at it there.",
    );
  } catch (error) {
    if (!(error instanceof RekeyError) || error.code !== "no_free_slot") throw error;
    // A call that reached the issuer twice has left a key of this very turn: the next one ends it.
    if (leftoversAmong(await session.list(), one, one.keep).length === 0) throw error;
    throw new TransientError("no_free_slot", "A key of an attempt before takes the place. The next attempt ends it.");
  }
}

/** From here an undo knows what to end by name. An attempt that has lost its turn ends what it alone knows of. */
async function recordMade(
  deps: StepDeps,
  one: RotationCase,
  session: IssuerSession,
  definition: IssuerDefinition,
  turn: Turn,
  { handle, value, effectiveAt }: Issued,
): Promise<void> {
  const fingerprint = fingerprintOf(deps, definition, value);
  try {
    await transact(deps.ledger, async (trx) => {
      await lockRotations(trx, [one.rotationId]);
      await assertTurnStands(trx, turn, "forward");
      await changeVersions(trx, [{ versionId: one.to.versionId, handle, effectiveAt, ...fingerprint }]);
    });
  } catch (error) {
    if (!(error instanceof RekeyError) || error.code !== "claim_outdated") throw error;
    const { operationKey } = one.to;
    // By its name: under the operation's key a newer attempt may have made another, which is in use.
    await session.revoke({ handle, operationKey, claim: turn.claim });
    throw error;
  }
}

/** An undo that ended the key meanwhile may have emptied its place in custody before the value got there. */
async function assertStillOurs(deps: StepDeps, one: RotationCase, turn: Turn): Promise<void> {
  try {
    await transact(deps.ledger, async (trx) => assertTurnStands(trx, turn, "forward"));
  } catch (error) {
    if (error instanceof RekeyError && error.code === "claim_outdated") await forgetUnused(deps, one);
    throw error;
  }
}
