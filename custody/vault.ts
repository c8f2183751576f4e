import { OperatorNeededError, PermanentError } from "../domain/errors.ts";
import type { Value } from "../providers/contract/value.ts";
import { destroyKv, readKv, writeKv, type KvPlace, type KvRead } from "../providers/systems/vault/kv.ts";
import { sides } from "../providers/systems/vault/side.ts";
import { openVault } from "../providers/systems/vault/vault.ts";
import type { Custody, CustodyRef } from "./custody.ts";
import { inTime } from "./in-time.ts";
import type { CustodyKind } from "./kinds.ts";
import { pathPart } from "./path-part.ts";
import { readSecretFile } from "./secret-file.ts";
import { tiedEntry, untied } from "./tied-entry.ts";
import { vaultCustodySettings, type VaultCustodySettings } from "./vault-settings.ts";

const asPart = (text: string): string => pathPart(text, "~");

const placeOf = ({ mount, prefix }: VaultCustodySettings, ref: CustodyRef): KvPlace => ({
  mount,
  path: [prefix, ...[ref.instance, ref.credential, String(ref.version), ref.purpose].map(asPart)].join("/"),
});

const opened = (ref: CustodyRef, found: KvRead, place: string): Value | undefined =>
  found.state === "live" ? untied(ref, found.data, place, "Vault's audit log") : undefined;

/** Such a version is gone some day, while rekey and the consumers still live by it. */
function fleeting({ mount, path }: KvPlace, version: number, deletedAt: string, isRemoved: boolean) {
  const then = isRemoved
    ? "It was removed again."
    : `Then keep this one (vault kv undelete -mount=${mount} -versions=${version} ${path}).`;
  return new OperatorNeededError(
    "custody_unreachable",
    `Versions in ${mount} delete themselves, the one that was put there at ${deletedAt}: the value would be lost while it is in force. Turn that off (vault write ${mount}/config delete_version_after=0s; where it is set on the secret, vault kv metadata put -mount=${mount} -delete-version-after=0s ${path}). ${then} Then retry.`,
  );
}

export const vaultKind: CustodyKind<VaultCustodySettings> = {
  settingsSchema: vaultCustodySettings,
  open({ place, settings, fetch }): Custody {
    const secret = async () => readSecretFile(settings.secretFile);
    const vault = openVault({ settings, secret, fetch, side: sides.custody });

    const within = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
      inTime(`The Vault of ${place}`, work);

    async function put(ref: CustodyRef, value: Value, signal: AbortSignal): Promise<Value> {
      const at = placeOf(settings, ref);
      const data = { ...tiedEntry(ref, value) };
      let cas = 0;
      // Zero first: it is refused for ever where anything was, so that a write which comes late revives nothing.
      let done = await writeKv(vault, at, { data, cas }, signal);
      let found = await readKv(vault, at, signal);
      if (done === "refused" && found.state !== "live" && found.state !== "absent") {
        cas = found.version;
        done = await writeKv(vault, at, { data, cas }, signal);
        found = await readKv(vault, at, signal);
      }
      const kept = opened(ref, found, place);
      if (kept !== undefined && found.state === "live" && found.deletedAt !== undefined) {
        const isOurs = done === "done" && found.version === cas + 1;
        // What another attempt put may be in use by now: it is kept.
        if (isOurs) await destroyKv(vault, at, [found.version], signal);
        throw fleeting(at, found.version, found.deletedAt, isOurs);
      }
      if (kept !== undefined) return kept;
      throw new PermanentError(
        "custody_missing",
        `What was put into ${place} is not there: it was destroyed at the same moment, or Vault did not keep it.`,
      );
    }

    return {
      putIfAbsent: async (ref, value) => within(async (signal) => put(ref, value, signal)),
      get: async (ref) =>
        within(async (signal) => opened(ref, await readKv(vault, placeOf(settings, ref), signal), place)),
      forget: async (ref) =>
        within(async (signal) => {
          const at = placeOf(settings, ref);
          const found = await readKv(vault, at, signal);
          if (found.state === "absent") return;
          // The metadata stays: it is what keeps the place taken.
          const versions = Array.from({ length: found.version }, (_, index) => index + 1);
          await destroyKv(vault, at, versions, signal);
        }),
    };
  },
};
