import { randomBytes } from "node:crypto";
import { PermanentError } from "../../../domain/errors.ts";
import type { EffectRequest, IssuerSession } from "../../../providers/contract/issuer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { assertFit, revealField, type Value } from "../../../providers/contract/value.ts";
import { assertTurn, isOf, isOurs, noRoom, notOurs, readMark, writeMark, type Mark, type Owner } from "./mark.ts";
import type { Entry } from "./server.ts";
import type { Wire } from "./wire.ts";

export const slotFields = {
  username: { secret: false, title: "User name" },
  password: { secret: true, title: "Password" },
} as const;

export const slotHandle = (name: string, version: number): string => `${name}#${version}`;

export function readSlotHandle(handle: string): { name: string; version: number } {
  const parts = /^([^#]+)#(\d+)$/.exec(handle);
  if (parts?.[1] === undefined) throw new PermanentError("handle_taken", "The handle is none of this issuer.");
  return { name: parts[1], version: Number(parts[2]) };
}

/** The effects of an issuer with fixed logins whose secrets we choose. */
export function slotEffects(
  wire: Wire,
  owner: Owner,
  slots: readonly string[],
): Required<Pick<IssuerSession, "choose" | "issue" | "abandon" | "revoke" | "disable" | "enable">> {
  const isSingle = slots.length === 1;
  const now = () => wire.now();
  const markOf = (version: number, request: EffectRequest, at: number): Mark => ({
    ...owner,
    version,
    operationKey: request.operationKey,
    claim: request.claim,
    at,
  });

  /** The entry, when it is the very version named and the caller's turn; undefined when that version is gone. */
  function theVersion(present: Entry | undefined, version: number, request: EffectRequest): Entry | undefined {
    const mark = readMark(present);
    if (present === undefined) return undefined;
    if (mark === undefined) {
      if (present.secret === undefined) return undefined;
      // Made by a person and adopted as version 1: only the ledger's handle says so. A later one is a stranger's.
      return version === 1 ? present : notOurs();
    }
    if (!isOf(mark, owner)) notOurs();
    assertTurn(mark, request.claim);
    return mark.version === version ? present : undefined;
  }

  /** A candidate that never came: a call that would make it may still be on its way, and must find that it is late. */
  function outdated(present: Entry | undefined, version: number, request: EffectRequest, at: number): Entry | "leave" {
    const mark = readMark(present);
    if (present === undefined || (mark !== undefined && (!isOf(mark, owner) || mark.version > version))) return "leave";
    if (mark !== undefined) return { ...present, mark: writeMark({ ...mark, claim: request.claim }) };
    if (present.secret !== undefined) return "leave";
    return { ...present, mark: writeMark({ ...markOf(version, request, at), isEnded: true }) };
  }

  async function abandon(request: Parameters<IssuerSession["abandon"]>[0]): Promise<void> {
    const { name, version } = readSlotHandle(request.handle);
    const at = await now();
    await end(request, request.restore);
    await wire.change(name, (present) =>
      readMark(present)?.version === version ? "leave" : outdated(present, version, request, at),
    );
  }

  async function end(request: EffectRequest, restore?: { handle: string; value: Value }): Promise<void> {
    const { name, version } = readSlotHandle(request.handle);
    const at = await now();
    await wire.change(name, (present) => {
      const found = theVersion(present, version, request);
      if (found === undefined) return "leave";
      if (restore !== undefined)
        return {
          ...found,
          secret: revealField(restore.value, "password"),
          enabled: true,
          mark: writeMark(markOf(readSlotHandle(restore.handle).version, request, at)),
        };
      const mark = { ...markOf(version, request, at), isEnded: true };
      return { ...found, secret: undefined, enabled: false, mark: writeMark(mark) };
    });
  }

  return {
    async choose({ version, keep, operationKey }) {
      const kept = new Set(keep.map((handle) => readSlotHandle(handle).name));
      for (const name of slots) {
        const entry = await wire.read(name);
        const mark = readMark(entry);
        const isFree = entry !== undefined && entry.secret === undefined && (mark === undefined || isOf(mark, owner));
        const isMine = mark?.operationKey === operationKey && isOurs(entry, owner);
        const isReplaced = isSingle && (mark === undefined || isOurs(entry, owner));
        if (kept.has(name) || !(isFree || isMine || isReplaced)) continue;
        const password = new Secret(randomBytes(24).toString("base64url"));
        return { handle: slotHandle(name, version), value: { username: name, password } };
      }
      return noRoom();
    },
    async issue(request) {
      const { name, version } = readSlotHandle(request.handle);
      const { chosen } = request;
      if (chosen === undefined || revealField(chosen, "username") !== name)
        throw new PermanentError("value_unfit", "The value was chosen for another login.");
      assertFit(chosen, slotFields);
      if (request.keep.some((handle) => readSlotHandle(handle).name === name)) noRoom();
      const at = await now();
      await wire.change(name, (present) => {
        const mark = readMark(present);
        const isLive = present?.secret !== undefined;
        if (mark === undefined && isLive && !isSingle) noRoom();
        if (mark !== undefined && !isOf(mark, owner)) noRoom();
        assertTurn(mark, request.claim);
        if (mark !== undefined && mark.version > version)
          throw new PermanentError("claim_outdated", "A later version has been here. Nothing was done.");
        const isRepeat = mark?.version === version && mark.operationKey === request.operationKey;
        if (isLive && !isOurs(present, owner) && mark !== undefined) noRoom();
        if (isLive && !isRepeat && !isSingle) noRoom();
        return {
          ...present,
          secret: revealField(chosen, "password"),
          enabled: true,
          mark: writeMark(markOf(version, request, at)),
        };
      });
      return { handle: request.handle, value: chosen, effectiveAt: new Date(at).toISOString() };
    },
    abandon,
    revoke: (request) => end(request),
    async disable(request) {
      const { name, version } = readSlotHandle(request.handle);
      await wire.change(name, (present) => {
        const found = theVersion(present, version, request);
        if (found === undefined) notOurs();
        const at = readMark(found)?.at ?? 0;
        return { ...found, enabled: false, mark: writeMark(markOf(version, request, at)) };
      });
    },
    async enable(request) {
      const { name, version } = readSlotHandle(request.handle);
      await wire.change(name, (present) => {
        const found = theVersion(present, version, request);
        if (found === undefined) notOurs();
        const at = readMark(found)?.at ?? 0;
        // The value is set again: a session that survived could have changed it meanwhile.
        const secret = request.value === undefined ? found.secret : revealField(request.value, "password");
        return { ...found, secret, enabled: true, mark: writeMark(markOf(version, request, at)) };
      });
    },
  };
}
