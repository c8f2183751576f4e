import { embeddedPlace } from "../domain/custody-place.ts";
import { nearestWord } from "../domain/nearest-word.ts";
import type { CredentialRow } from "../ledger/registry-views.ts";
import type { Issues, Planning } from "./planning.ts";
import { refKey } from "./registry-snapshot.ts";
import type { ManifestOf } from "./schemas.ts";

/** The place of the credential's values: what its manifest says, else what it has, else the usual one. */
export function custodyOf(
  { custody: { places, usual } }: Pick<Planning, "custody">,
  { metadata, spec }: ManifestOf<"Credential">,
  existing: CredentialRow | undefined,
  issues: Pick<Issues, "add">,
): string {
  const said = spec.custody;
  if (said === undefined) return existing?.custody ?? usual;
  if (!places.includes(said)) {
    const nearest = nearestWord(said, places);
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    issues.add(["spec", "custody"], `must be one of ${places.join(", ")}, which REKEY_CUSTODIES_FILE names${hint}`);
  } else if (existing?.hasVersions === true && existing.custody !== said)
    issues.add(
      ["spec", "custody"],
      `is ${existing.custody}, where its values lie. They are moved by: rekey credential move ${refKey(metadata)} --custody ${said}. Then apply again.`,
    );
  return said;
}

/** The field of a manifest; absent where it says nothing new. */
export const sayCustody = (custody: string) => (custody === embeddedPlace ? {} : { custody });
