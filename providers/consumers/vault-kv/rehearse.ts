import { TransientError } from "../../../domain/errors.ts";
import type { Value } from "../../contract/value.ts";
import { patchKv } from "../../systems/vault/kv.ts";
import { placeIn } from "./config.ts";
import { heldIn, wantedOf, writtenOver } from "./content.ts";
import { rivalry } from "./deliver.ts";
import { keysOf, readSecret, type Target } from "./target.ts";

/** No secret has that many versions. */
const neverNewest = 2_000_000_000;

/**
 * The very write of a delivery, with a made-up value, on a version that is not there: Vault judges the login, the path and
 * the content, and refuses at its check-and-set. So nothing is left, and no right is needed beside those of a delivery.
 */
export async function rehearse(target: Target, value: Value): Promise<string> {
  const { vault, config, signal } = target;
  const before = await readSecret(target);
  const rival = rivalry(target, before);
  if (rival !== undefined) throw rival;
  const data = writtenOver(heldIn(before.data, config), wantedOf(value, config), config);
  const done = await patchKv(vault, placeIn(config), { data, cas: neverNewest }, signal);
  if (done !== "refused")
    throw new TransientError("target_drift", "Somebody else changed the secret at the same moment. Try again.");
  return `Vault took a made-up value for ${keysOf(target).join(", ")} as far as its check-and-set, through the login's rights, and refused it there as it was asked to. Nothing was kept.`;
}
