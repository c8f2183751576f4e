import { compareClaims } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError, TransientError } from "../../../domain/errors.ts";
import type { EffectRequest, Issued, IssueRequest } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { assertFit } from "../../contract/value.ts";
import { fields } from "./config.ts";
import { intentTag, isFor, isOf, keyTag, readMark, writeIntent, writeMark, type KeyMark } from "./mark.ts";
import { refuseOwnPrincipal } from "./preflight.ts";
import { strayFinding } from "./strays.ts";
import { isMarkedOurs, madeSince, survey, type Scope, type Survey } from "./survey.ts";
import {
  createKey,
  deleteKey,
  isUsed,
  listTags,
  removeTags,
  setActive,
  slots,
  writeTags,
  type ManagedUser,
} from "./user.ts";

const outdated = (): PermanentError =>
  new PermanentError("claim_outdated", "A newer attempt has worked on this user's keys. What it did stands.");

/** Inactive first: if the rest is lost, it is refused at least, and can be brought back. */
async function end(scope: Scope, id: string): Promise<void> {
  const { user } = scope;
  await setActive(user, id, false);
  if (!(await deleteKey(user, id))) await assertGone(scope, id);
  await removeTags(user, [keyTag(id)]);
}

/** A server that is behind knows no key that is new: only lists over the lag, of which none shows it, mean that it is gone. */
async function assertGone(scope: Scope, id: string): Promise<void> {
  if (!isThere(await survey(scope), id)) return;
  throw new TransientError(
    "issuer_unreachable",
    `IAM lists key ${id} of ${scope.user.name}, and says that it is not there. It will be tried again.`,
  );
}

/**
 * What this operation made and the ledger does not have. A key whose answer was lost is ours only when the note names this
 * very operation and nothing speaks against it; anything else may be somebody's, and a person is asked.
 */
async function leftoversOf(scope: Scope, seen: Survey, operationKey: string): Promise<readonly string[]> {
  const marked = [...seen.marks].filter(([, mark]) => isOf(mark, scope.owner) && isFor(mark, operationKey));
  const unanswered = madeSince(seen, operationKey).map(({ id }) => id);
  for (const id of unanswered)
    if (await isUsed(scope.user, id))
      throw new OperatorNeededError(
        "candidate_in_use",
        `Key ${id} of ${scope.user.name} came up while rekey was making one and got no answer, and somebody uses it: it is not rekey's. Find out who made it. If nobody needs it, delete it (aws iam delete-access-key --user-name ${scope.user.name} --access-key-id ${id}); then retry.`,
      );
  return [...marked.map(([id]) => id).filter((id) => seen.everSeen.some((key) => key.id === id)), ...unanswered];
}

function noRoom(scope: Scope, seen: Survey, keep: readonly string[]): OperatorNeededError {
  const { detail, mend } = strayFinding(scope, seen, { live: keep }) ?? {
    detail: `The IAM user ${scope.user.name} has two keys, which is all that AWS allows, inactive ones too. Both are in use.`,
  };
  return new OperatorNeededError(
    "no_free_slot",
    `${detail} rekey never picks one to remove; retry when there is room.${mend === undefined ? "" : `\n${mend}`}`,
  );
}

/** Marks of ours on keys that are gone would fill the user's fifty tags. */
async function clearMarks({ user, owner }: Scope, seen: Survey): Promise<void> {
  const gone = seen.markedAtFirst.filter((id) => isMarkedOurs(seen, id, owner) && !isThere(seen, id));
  await removeTags(user, gone.map(keyTag));
}

export async function issueKey(scope: Scope, request: IssueRequest): Promise<Issued> {
  const { user, owner } = scope;
  const { operationKey, claim, keep } = request;
  await refuseOwnPrincipal(user);
  const seen = await survey(scope);
  const { intent, marks } = seen;
  const isLater = intent !== undefined && compareClaims(intent.claim, claim) > 0;
  const isMade = [...marks.values()].some(
    (mark) => isOf(mark, owner) && isFor(mark, operationKey) && compareClaims(mark.claim, claim) >= 0,
  );
  if (isLater || isMade) throw outdated();

  const found = new Set(await leftoversOf(scope, seen, operationKey));
  // Of an earlier attempt whose value is in nobody's hands.
  if (isThere(seen, request.handle)) found.add(request.handle);
  const leftovers = [...found].filter((id) => !keep.includes(id));
  for (const id of leftovers) assertOurs(scope, seen, { ...request, handle: id });
  for (const id of leftovers) await end(scope, id);
  await clearMarks(scope, seen);
  const isLeft = ({ id }: { readonly id: string }): boolean => !leftovers.includes(id);
  if (seen.keys.filter(isLeft).length >= slots) throw noRoom(scope, seen, keep);

  // Before the call, so that a key whose answer is lost can be told from everybody else's.
  const before = seen.everSeen.filter(isLeft).map(({ id }) => id);
  const note = { instance: owner.instance, operationKey, claim, atMs: seen.atMs, before, isAnswered: false };
  await writeTags(user, { [intentTag(owner)]: writeIntent(note) });
  const answered = { [intentTag(owner)]: writeIntent({ ...note, isAnswered: true }) };
  // Open, it would claim a key that a person makes by hand after a refusal.
  const made = await createKey(user, async () => writeTags(user, answered));
  if (made === undefined) throw noRoom(scope, seen, keep);
  await writeTags(user, { [keyTag(made.id)]: writeMark({ ...owner, operationKey, claim }), ...answered });
  const value = { accessKeyId: made.id, secretAccessKey: new Secret(made.secret) };
  assertFit(value, fields);
  return { handle: made.id, value, effectiveAt: made.createdAt.toISOString() };
}

/** That the key may be touched in this turn. A key without a mark is one that a person made, and the ledger knows. */
function assertOurs({ owner, user }: Scope, { marks }: Survey, { handle, claim }: EffectRequest): void {
  const mark = marks.get(handle);
  if (mark === undefined) return;
  if (!isOf(mark, owner))
    throw new PermanentError(
      "handle_taken",
      `Key ${handle} of ${user.name} belongs to another credential or installation of rekey, as its tag ${keyTag(handle)} says. Nothing was done.`,
    );
  if (compareClaims(claim, mark.claim) < 0) throw outdated();
}

const isThere = ({ everSeen }: Survey, id: string): boolean => everSeen.some((key) => key.id === id);

/** Ends all that the operation made; what nobody got an answer for is found by its note. */
export async function abandonKey(scope: Scope, request: EffectRequest): Promise<void> {
  const seen = await survey(scope);
  const found = new Set(await leftoversOf(scope, seen, request.operationKey));
  if (request.handle !== "" && isThere(seen, request.handle)) found.add(request.handle);
  for (const id of found) assertOurs(scope, seen, { ...request, handle: id });
  for (const id of found) await end(scope, id);
}

/** Its id is never given again, so that a late call hits nothing else. */
export async function revokeKey(scope: Scope, request: EffectRequest): Promise<void> {
  const seen = await survey(scope);
  assertOurs(scope, seen, request);
  if (isThere(seen, request.handle)) await end(scope, request.handle);
}

async function setState(scope: Scope, request: EffectRequest, isActive: boolean): Promise<void> {
  const { user, owner } = scope;
  const { handle, claim } = request;
  const seen = await survey(scope);
  assertOurs(scope, seen, request);
  const gone = new PermanentError("handle_taken", `The IAM user ${user.name} has no key ${handle} any more.`);
  if (!isThere(seen, handle)) throw gone;
  // The turn is noted first: whoever comes late finds it.
  // One that a person made stays out of the reach of what looks for an operation's own.
  const operationKey = seen.marks.get(handle)?.operationKey ?? `adopted:${handle}`;
  await writeTags(user, { [keyTag(handle)]: writeMark({ ...owner, operationKey, claim, isActive }) });
  if ((await laterTurn(user, request)) !== undefined) throw outdated();
  const isSet = await setActive(user, handle, isActive);
  const later = await laterTurn(user, request);
  if (later !== undefined) {
    // IAM compares nothing: this call may have come after that of the later turn.
    if (later.isActive === !isActive) await setActive(user, handle, later.isActive);
    throw outdated();
  }
  if (isSet) return;
  await assertGone(scope, handle);
  throw gone;
}

/** What a later turn noted on the key. One look, so that hardly any time lies between it and the call beside it. */
async function laterTurn(user: ManagedUser, { handle, claim }: EffectRequest): Promise<KeyMark | undefined> {
  const mark = readMark((await listTags(user)).get(keyTag(handle)) ?? "");
  return mark !== undefined && compareClaims(mark.claim, claim) > 0 ? mark : undefined;
}

export const disableKey = async (scope: Scope, request: EffectRequest): Promise<void> =>
  setState(scope, request, false);
export const enableKey = async (scope: Scope, request: EffectRequest): Promise<void> => setState(scope, request, true);
