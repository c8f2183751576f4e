import { compareClaims } from "../../../domain/claim.ts";
import { PermanentError } from "../../../domain/errors.ts";
import type { EffectRequest, IssuerSession } from "../../../providers/contract/issuer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { assertFit } from "../../../providers/contract/value.ts";
import { assertTurn, isOf, notOurs, readMark, writeMark, type Mark, type Owner } from "./mark.ts";
import type { Entry } from "./server.ts";
import type { Wire } from "./wire.ts";

export const mintFields = {
  keyId: { secret: false, title: "Key id" },
  secretKey: { secret: true, title: "Secret key" },
} as const;

/**
 * The effects of an issuer that makes the value itself and shows it once. Until it has, the handle is empty: what was asked
 * for is found by its operation key.
 */
export function mintEffects(
  wire: Wire,
  owner: Owner,
): Required<Pick<IssuerSession, "issue" | "abandon" | "revoke" | "disable" | "enable">> {
  async function madeFor(operationKey: string): Promise<readonly { name: string; mark: Mark }[]> {
    const made: { name: string; mark: Mark }[] = [];
    for (const name of await wire.names()) {
      const mark = readMark(await wire.read(name));
      if (mark !== undefined && isOf(mark, owner) && mark.operationKey === operationKey) made.push({ name, mark });
    }
    return made;
  }

  function assertOurs(present: Entry | undefined, request: EffectRequest): void {
    const mark = readMark(present);
    // A key without a mark was made by a person; only the ledger's handle, which names it alone, can mean it.
    if (mark === undefined) return;
    if (!isOf(mark, owner)) notOurs();
    assertTurn(mark, request.claim);
  }

  async function remove(name: string, request: EffectRequest): Promise<void> {
    await wire.change(name, (present) => {
      if (present === undefined) return "leave";
      assertOurs(present, request);
      return "remove";
    });
  }

  async function toggle(request: EffectRequest, enabled: boolean): Promise<void> {
    await wire.change(request.handle, (present) => {
      if (present === undefined) notOurs();
      assertOurs(present, request);
      const mark = readMark(present);
      if (mark === undefined) return { ...present, enabled };
      return { ...present, enabled, mark: writeMark({ ...mark, claim: request.claim }) };
    });
  }

  return {
    async issue(request) {
      for (const { name, mark } of await madeFor(request.operationKey)) {
        if (request.keep.includes(name)) continue;
        if (compareClaims(request.claim, mark.claim) <= 0)
          throw new PermanentError("claim_outdated", "A newer attempt has made this version. Nothing was done.");
        await remove(name, request);
      }
      const at = await wire.now();
      const version = request.keep.length + 1;
      const { operationKey, claim } = request;
      const made = await wire.mint(writeMark({ ...owner, version, operationKey, claim, at }));
      const value = { keyId: made.name, secretKey: new Secret(made.secret) };
      assertFit(value, mintFields);
      return { handle: made.name, value, effectiveAt: new Date(made.at).toISOString() };
    },
    async abandon(request) {
      // By key, not by handle: an answer that was lost never told the handle, and a late one may have landed since.
      for (const { name } of await madeFor(request.operationKey)) await remove(name, request);
    },
    revoke: (request) => remove(request.handle, request),
    disable: (request) => toggle(request, false),
    enable: (request) => toggle(request, true),
  };
}
