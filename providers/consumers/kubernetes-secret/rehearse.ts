import { TransientError } from "../../../domain/errors.ts";
import type { Value } from "../../contract/value.ts";
import { patchObject } from "./api.ts";
import { heldIn, largestSecret, sizeWith, wantedOf, writtenOver } from "./content.ts";
import { immutable, patchFor, rivalry, tooLarge } from "./deliver.ts";
import { keysOf, readSecret, type Target } from "./target.ts";

/** Below every delivery's number. It is never kept. */
const number = { epoch: 0, number: 0 };

/** The very write of a delivery, with a made-up value, as a dry run of the API server. */
export async function rehearse(target: Target, value: Value): Promise<string> {
  const { api, config } = target;
  const secret = await readSecret(target);
  const ours = writtenOver(heldIn(secret, config), wantedOf(value, config), config);
  const rival = rivalry(target, secret);
  if (rival !== undefined) throw rival;
  if (secret.immutable === true) throw immutable(target);
  if (sizeWith(secret, ours) > largestSecret) throw tooLarge(target);
  const done = await patchObject(api, { ...patchFor(target, secret, ours, number), isDryRun: true });
  if (done !== "done")
    throw new TransientError("target_drift", "Somebody else changed the Secret at the same moment. Try again.");
  return `The API server took a made-up value for ${keysOf(target).join(", ")} as a dry run, through rights and admission. Nothing was kept.`;
}
