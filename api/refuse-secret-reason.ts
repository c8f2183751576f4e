import { readFingerprintsWithin, readKnownFingerprints } from "../ledger/known-fingerprints.ts";
import type { ApiDeps } from "./deps.ts";
import { possibleSecret } from "./possible-secret.ts";
import { ProblemError } from "./problem.ts";

/** Shorter words are no secret of an issuer, and ordinary. */
const shortest = 6;

/** What may be a secret in a person's words: each as it stands, and without what people write around it. */
function candidates(reason: string): readonly string[] {
  const words = [reason.trim(), ...reason.split(/\s+/), ...reason.split(/[\s"'`,;:=@/()<>[\]{}]+/)];
  const bare = words.flatMap((word) => [word, word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "")]);
  return [...new Set(bare)].filter((word) => word.length >= shortest);
}

/**
 * A reason is stored as typed, for good. One that holds a value of the credential, or its connection's secret, is
 * refused before that. Other secrets cannot be told from words.
 * @throws {ProblemError} `request_invalid`
 */
export async function refuseSecretReason(
  deps: Pick<ApiDeps, "ledger" | "fingerprints">,
  credentialId: string,
  reason: string,
): Promise<void> {
  return refuseKnown(deps, reason, async ({ db }) => readKnownFingerprints(db, credentialId));
}

/** The same of a reason that is about a team, an environment or everything: a value or secret of any credential there. */
export async function refuseSecretReasonWithin(
  deps: Pick<ApiDeps, "ledger" | "fingerprints">,
  place: { readonly teamId: string | null; readonly environmentId: string | null },
  reason: string,
): Promise<void> {
  return refuseKnown(deps, reason, async ({ db }) => readFingerprintsWithin(db, place));
}

async function refuseKnown(
  { ledger, fingerprints }: Pick<ApiDeps, "ledger" | "fingerprints">,
  reason: string,
  read: (ledger: ApiDeps["ledger"]) => Promise<readonly string[]>,
): Promise<void> {
  const words = candidates(reason).flatMap(possibleSecret);
  if (words.length === 0) return;
  const known = await read(ledger);
  if (words.some((word) => known.some((fingerprint) => fingerprints.isOf(word, fingerprint) === true)))
    throw new ProblemError(
      "request_invalid",
      "The reason holds a secret that rekey knows; nothing was stored or done. Write it without, and replace the secret if others could see what you typed.",
    );
}
