import { OperatorNeededError, PermanentError, TransientError } from "../domain/errors.ts";
import type { Value } from "../providers/contract/value.ts";
import { destroyKv, readKv, writeKv, type KvPlace, type KvRead } from "../providers/systems/vault/kv.ts";
import { sides } from "../providers/systems/vault/side.ts";
import { openVault } from "../providers/systems/vault/vault.ts";
import type { Custody, CustodyRef } from "./custody.ts";
import type { CustodyKind } from "./kinds.ts";
import { readSecretFile } from "./secret-file.ts";
import { decodeValue, encodeValue } from "./value-encoding.ts";
import { vaultCustodySettings, type VaultCustodySettings } from "./vault-settings.ts";

const longestCallMs = 9_000;
const format = "rekey/custody/v1";

/** One part of a path, for whatever text: no two texts share one. */
const asPart = (text: string): string =>
  encodeURIComponent(text)
    .replaceAll(/[~!'()*]/g, escaped)
    .replaceAll("%", "~");
const escaped = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;

const placeOf = ({ mount, prefix }: VaultCustodySettings, ref: CustodyRef): KvPlace => ({
  mount,
  path: [prefix, ...[ref.instance, ref.credential, String(ref.version), ref.purpose].map(asPart)].join("/"),
});

/** All that a value belongs to. It lies beside the value, and is compared when that is read. */
const tieOf = ({ instance, credential, version, row, purpose, pool, binding }: CustodyRef): string =>
  JSON.stringify([instance, credential, version, row, purpose, pool, binding ?? null]);

function opened(ref: CustodyRef, found: KvRead, place: string): Value | undefined {
  if (found.state !== "live") return undefined;
  const { format: of, tie, value } = found.data;
  if (of === format && tie === tieOf(ref) && typeof value === "string")
    return decodeValue(Buffer.from(value, "base64"));
  throw new OperatorNeededError(
    "custody_unreadable",
    `What lies in ${place} for this value was written for something else, or by another program. Find out in Vault's audit log who wrote it.`,
  );
}

export const vaultKind: CustodyKind<VaultCustodySettings> = {
  settingsSchema: vaultCustodySettings,
  open({ place, settings, fetch }): Custody {
    const secret = async () => readSecretFile(settings.secretFile);
    const vault = openVault({ settings, secret, fetch, side: sides.custody });

    /** With an end: a caller may hold a transaction of the ledger open meanwhile. */
    async function within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
      const signal = AbortSignal.timeout(longestCallMs);
      try {
        return await work(signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        throw new TransientError(
          "custody_unreachable",
          `The Vault of ${place} did not answer in time. It will be tried again.`,
        );
      }
    }

    async function put(ref: CustodyRef, value: Value, signal: AbortSignal): Promise<Value> {
      const at = placeOf(settings, ref);
      const data = { format, tie: tieOf(ref), value: encodeValue(value).toString("base64") };
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
