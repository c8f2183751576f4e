import { readKnownFingerprints } from "../ledger/known-fingerprints.ts";
import { Secret } from "../providers/contract/secret.ts";
import type { ApiDeps } from "./deps.ts";
import { ProblemError } from "./problem.ts";

/** Shorter words are no secret of an issuer, and ordinary. */
const shortest = 6;

/** What may be a secret in a person's words: each as it stands, and without what people write around it. */
function candidates(reason: string): readonly string[] {
  const words = [reason.trim(), ...reason.split(/\s+/), ...reason.split(/[\s"'`,;:=@/()<>[\]{}]+/)];
  const bare = words.flatMap((word) => [word, word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "")]);
  return [...new Set(bare)].filter((word) => word.length >= shortest);
}

/** A word that stands for a secret, such as `hidden`, is none. */
function asSecret(word: string): readonly Secret<string>[] {
  try {
    return [new Secret(word)];
  } catch {
    return [];
  }
}

/**
 * A reason is stored as typed, for good. One that holds a value of the credential, or its connection's secret, is
 * refused before that. Other secrets cannot be told from words.
 * @throws {ProblemError} `request_invalid`
 */
export async function refuseSecretReason(
  { ledger, fingerprints }: Pick<ApiDeps, "ledger" | "fingerprints">,
  credentialId: string,
  reason: string,
): Promise<void> {
  const words = candidates(reason).flatMap(asSecret);
  if (words.length === 0) return;
  const known = await readKnownFingerprints(ledger.db, credentialId);
  if (words.some((word) => known.some((fingerprint) => fingerprints.isOf(word, fingerprint) === true)))
    throw new ProblemError(
      "request_invalid",
      "The reason holds a secret that rekey knows; nothing was stored or done. Write it without, and replace the secret if others could see what you typed.",
    );
}
