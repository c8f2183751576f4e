import { OperatorNeededError, RekeyError } from "../../../domain/errors.ts";
import type { ConsumerFinding } from "../../contract/consumer.ts";
import type { Value } from "../../contract/value.ts";
import { lackedOf } from "../../systems/vault/capabilities.ts";
import { forbidden } from "../../systems/vault/failure.ts";
import { engineOf } from "../../systems/vault/kv.ts";
import { placeIn } from "./config.ts";
import { heldIn, wantedOf } from "./content.ts";
import { rivalry } from "./deliver.ts";
import { rightsFor } from "./rights.ts";
import { named, readSecret, type LiveVersion, type Target } from "./target.ts";

/** What the mount is, where it is not what is needed. */
async function wrongEngine({ vault, config, signal }: Target): Promise<readonly ConsumerFinding[]> {
  const place = placeIn(config);
  const engine = await engineOf(vault, place, signal);
  if (engine === undefined || (engine.type === "kv" && engine.version === "2")) return [];
  const detail =
    engine.type === "kv"
      ? `${place.mount} is a KV engine of version 1, which neither compares before it writes nor keeps versions. Upgrade it (vault kv enable-versioning ${place.mount}), or register a secret of another mount.`
      : `${place.mount} is no KV engine but ${engine.type}. Correct mount of the registration.`;
  return [{ code: "target_refused", detail }];
}

function aboutSecret(target: Target, now: LiveVersion, values: readonly Value[]): readonly ConsumerFinding[] {
  const found: ConsumerFinding[] = [];
  const rival = rivalry(target, now);
  if (rival !== undefined) found.push(rival);
  heldIn(now.data, target.config);
  for (const value of values) wantedOf(value, target.config);
  if (now.deletedAt !== undefined)
    found.push({
      code: "target_refused",
      detail: `Versions of the secret (${named(target)}) delete themselves: this one at ${now.deletedAt}, and then its readers have nothing. Turn that off (vault kv metadata put -delete-version-after=0s ${named(target)}, and at the mount if it is set there), and put the secret once more.`,
    });
  return found;
}

/** Looks at all that would stop a delivery; what stops the look itself is a finding too. */
export async function preflight(target: Target, values: readonly Value[]): Promise<readonly ConsumerFinding[]> {
  try {
    const engine = await wrongEngine(target);
    if (engine.length > 0) return engine;
    const lacked = await lackedOf(target.vault, rightsFor(target.config), target.signal);
    if (lacked.length > 0) return [asFinding(forbidden(lacked, target.vault))];
    return aboutSecret(target, await readSecret(target), values).map(asFinding);
  } catch (error) {
    if (error instanceof RekeyError && (error instanceof OperatorNeededError || error.code === "value_unfit"))
      return [asFinding(error)];
    throw error;
  }
}

const asFinding = ({ code, detail }: ConsumerFinding): ConsumerFinding => ({ code, detail });
