import { PermanentError } from "../domain/errors.ts";
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
      // Zero first: it is refused for ever where anything was, so that a write which comes late revives nothing.
      if ((await writeKv(vault, at, { data, cas: 0 }, signal)) === "refused") {
        const found = await readKv(vault, at, signal);
        const there = opened(ref, found, place);
        if (there !== undefined) return there;
        if (found.state !== "absent") await writeKv(vault, at, { data, cas: found.version }, signal);
      }
      const kept = opened(ref, await readKv(vault, at, signal), place);
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
