import { nearestWord } from "../domain/nearest-word.ts";
import { findCredentials, listCredentials } from "../ledger/credential-views.ts";
import { nearestByName } from "../manifests/kind-named.ts";
import type { Scope } from "../domain/scope.ts";
import type { Ledger } from "../ledger/database.ts";
import { listRotations } from "../ledger/rotation-views.ts";
import { idPrefixes, isId } from "../domain/ids.ts";
import { ProblemError } from "./problem.ts";

/** The id of the one credential that is meant. Nothing of what was asked for is repeated: it may be anything. */
export async function findCredentialId(
  { db }: Ledger,
  scope: Scope,
  reference: string,
  absence = "No credential has that name.",
  list = "rekey credential list",
): Promise<string> {
  const found = await findCredentials(db, scope, reference);
  const [first, second] = found;
  if (first === undefined)
    throw new ProblemError(
      "not_found",
      `${absence} ${(await didYouMean(db, scope, reference)) ?? `List them: ${list}`}`,
    );
  if (second !== undefined)
    throw new ProblemError(
      "request_invalid",
      `Several teams have a credential of that name. Write one of ${found.map(({ ref }) => ref).join(", ")}.`,
    );
  return first.id;
}

/** Only in names that exist: what was asked for is not repeated. */
async function didYouMean(db: Ledger["db"], scope: Scope, reference: string): Promise<string | undefined> {
  const credentials = await listCredentials(db, { scope, limit: 500 });
  const refs = credentials.map(({ team, name }) => `${team}/${name}`);
  const nearest = nearestWord(reference, refs) ?? nearestByName(reference, refs);
  return nearest === undefined ? undefined : `Did you mean ${nearest}?`;
}

/** The id of a rotation: named itself, or by its credential, whose open or last rotation is meant. */
export async function findRotationId(ledger: Ledger, scope: Scope, reference: string): Promise<string> {
  if (isId(reference, "rotation")) return reference;
  // No name has an underscore, so nothing else can be meant.
  if (reference.startsWith(`${idPrefixes.rotation}_`))
    throw new ProblemError(
      "not_found",
      "That is no rotation's id: one is rot_ and 26 letters and digits. List them: rekey rotation list",
    );
  const credentialId = await findCredentialId(
    ledger,
    scope,
    reference,
    "No rotation and no credential has that name.",
    "rekey rotation list",
  );
  const [last] = await listRotations(ledger.db, { scope, credentialId, limit: 1 });
  if (last === undefined)
    throw new ProblemError("not_found", `The credential has no rotation yet. Start one: rekey rotate ${reference}`);
  return last.id;
}
