import { compareClaims } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError } from "../../../domain/errors.ts";
import type { EffectRequest, Issued, IssueRequest } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { assertFit } from "../../contract/value.ts";
import { allOf, destroy, lookUp, mint, readRole, readRoleId, type SecretId } from "./api.ts";
import { fields, readHandle, writtenHandle } from "./config.ts";
import { assertMay, isOurs, newMark, writtenMark } from "./mark.ts";
import type { Scope } from "./scope.ts";

/** Vault sets no limit; a credential never needs more than the old version and the new one. */
export const mostLive = 2;

const isOf =
  (operationKey: string, scope: Scope) =>
  ({ mark }: SecretId) =>
    isOurs(mark, scope) && mark?.operationKey === operationKey;

/** What was made under one operation key, by any attempt; whose answer was lost, too. */
const madeFor = async (scope: Scope, operationKey: string): Promise<readonly SecretId[]> =>
  (await allOf(scope)).filter(isOf(operationKey, scope));

/** Of a credential there are two at most, and another installation of rekey on the same role has its own. */
function assertRoom(scope: Scope, all: readonly SecretId[], kept: ReadonlySet<string>): void {
  const isOthers = ({ accessor, mark, isExpired }: SecretId) =>
    mark !== undefined && !isOurs(mark, scope) && !isExpired && !kept.has(accessor);
  const others = all.filter(isOthers);
  if (kept.size + others.length < mostLive) return;
  const whose = others.length === 0 ? "" : `, ${others.length} of them for another credential or installation of rekey`;
  throw new OperatorNeededError(
    "no_free_slot",
    `${kept.size + others.length} secret ids of the role ${scope.config.role} live that rekey has made or knows${whose}. End one of them first; rekey never picks one to remove.`,
  );
}

const outdated = (): PermanentError =>
  new PermanentError("claim_outdated", "A newer attempt has made this version. Nothing was done.");

/** Ends the leftovers of earlier attempts, then mints: what Vault showed them once is lost to us. */
export async function issue(scope: Scope, request: IssueRequest): Promise<Issued> {
  const { operationKey, claim, keep } = request;
  const all = await allOf(scope);
  const kept = new Set(keep.map((handle) => readHandle(handle).accessor));
  assertRoom(scope, all, kept);
  const leftovers = all.filter(isOf(operationKey, scope));
  // All are judged before one is ended.
  for (const { accessor, mark } of leftovers)
    if (kept.has(accessor) || (mark !== undefined && compareClaims(mark.claim, claim) >= 0)) throw outdated();
  const roleId = await readRoleId(scope);
  if (roleId === undefined) throw roleMissing(scope);
  for (const { accessor } of leftovers) await destroy(scope, accessor);
  const { instance, credential } = scope;
  const mark = newMark();
  const { secretId, accessor } = await mint(scope, writtenMark({ instance, credential, operationKey, claim, mark }));
  const value = { role_id: roleId, secret_id: new Secret(secretId), accessor, mark };
  assertFit(value, fields);
  const effectiveAt = await alone(scope, request, accessor);
  return { handle: writtenHandle(value), value, effectiveAt };
}

/** Ends what the network made of the same call besides, or an earlier attempt's that landed meanwhile. Since when ours is there. */
async function alone(scope: Scope, { operationKey, claim }: IssueRequest, accessor: string): Promise<string> {
  const made = await madeFor(scope, operationKey);
  const own = made.find((one) => one.accessor === accessor);
  const isLater = made.some(({ mark }) => mark !== undefined && compareClaims(mark.claim, claim) > 0);
  if (isLater && own !== undefined) await destroy(scope, accessor);
  if (isLater || own === undefined) throw outdated();
  for (const other of made) if (other !== own) await destroy(scope, other.accessor);
  return own.createdAt;
}

export const roleMissing = ({ config: { mount, role } }: Scope): OperatorNeededError =>
  new OperatorNeededError(
    "principal_missing",
    `There is no role ${role} at auth/${mount}. Make it (vault write auth/${mount}/role/${role} token_policies=POLICY), or correct its name in the credential, then retry.`,
  );

/** By the key and not by the handle: an answer that was lost never told it, and a late one may have landed since. */
export async function abandon(scope: Scope, { operationKey, claim }: EffectRequest): Promise<void> {
  const made = await madeFor(scope, operationKey);
  for (const { mark } of made) assertMay(mark, claim, scope);
  for (const { accessor } of made) await destroy(scope, accessor);
}

/** An accessor is never used again, so that a call which comes late finds nothing, or the very version that it means. */
export async function revoke(scope: Scope, { handle, claim }: EffectRequest): Promise<void> {
  const { accessor } = readHandle(handle);
  const found = (await readRole(scope)) === undefined ? undefined : await lookUp(scope, accessor);
  if (found === undefined) return;
  assertMay(found.mark, claim, scope);
  await destroy(scope, accessor);
}
