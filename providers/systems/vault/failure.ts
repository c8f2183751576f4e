import { OperatorNeededError, TransientError, type RekeyError } from "../../../domain/errors.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import { healthOf } from "./health.ts";
import { stanzaOf, wordsFor, type Right } from "./rights.ts";
import type { Way } from "./way.ts";

/** The policy lacks it: the sentence names it, and what to add. */
export function forbidden(rights: readonly Right[], { settings }: Pick<Way, "settings">): OperatorNeededError {
  const where = settings.namespace === undefined ? "" : ` of namespace ${settings.namespace}`;
  return new OperatorNeededError(
    "right_missing",
    `The login for Vault may not ${rights.map(wordsFor).join("; ")}. Add this to one of its policies${where}, then retry:\n${rights.map(stanzaOf).join("\n")}`,
  );
}

const unreachable = ({ side }: Way, what: string): TransientError =>
  new TransientError(
    side.unreachable,
    `Vault ${what}. It will be tried again; if that lasts, compare address and ca with the server's, and look at egress.refused in the worker's log for the reason.`,
  );

const standby = (): TransientError =>
  new TransientError(
    "system_standby",
    "A standby of Vault answered, and no redirect is followed. It will be tried again; if that lasts, let the address lead to the active node.",
  );

/** Nothing serves the path: that says nothing of what lies in the mount. */
export function mountMissing({ side, settings }: Way, doing: string): OperatorNeededError {
  const where = settings.namespace === undefined ? "" : ` in namespace ${settings.namespace}`;
  return new OperatorNeededError(
    side.unexpected,
    `Vault has no mount${where} that serves this (404, ${doing}): it was disabled or moved, its name is mistyped, or it is of another kind. Look at what is mounted (vault secrets list -detailed, vault auth list), mount it again or correct the name, then retry.`,
  );
}

/** What the server's own state says of a failure; undefined where it is well. */
async function stateBehind(way: Way, signal: AbortSignal): Promise<RekeyError | undefined> {
  const health = await healthOf(way, signal);
  if (health === undefined) return undefined;
  if (!health.initialized)
    return new OperatorNeededError(
      way.side.unreachable,
      "This Vault has not been initialised yet. Initialise and unseal it (vault operator init, vault operator unseal), or correct the address, then retry.",
    );
  if (health.sealed)
    return new TransientError(
      "system_sealed",
      "Vault is sealed. Unseal it (vault operator unseal); nothing is lost, and it is tried again.",
    );
  return health.standby ? standby() : undefined;
}

/**
 * Why a call did not do what was asked, in our words: Vault's own could hold anything. The statuses alone do not tell a
 * sealed server from a broken one, so it is asked.
 */
export async function failureOf(
  way: Way,
  answer: EgressAnswer,
  doing: string,
  signal: AbortSignal,
): Promise<RekeyError> {
  const { outcome, status = 0 } = answer;
  if (outcome !== "reached")
    return unreachable(way, outcome === "timed-out" ? "did not answer in time" : "could not be reached");
  // A standby that does not forward: https://developer.hashicorp.com/vault/docs/concepts/ha
  if (status === 307 || status === 308) return standby();
  if (status === 429)
    return new TransientError(
      "system_throttled",
      `Vault asks for fewer calls (429, ${doing}). It will be tried again; if that lasts, look at its quotas (vault list sys/quotas/rate-limit).`,
    );
  if (status >= 500 || status === 412 || status === 408)
    return (await stateBehind(way, signal)) ?? unreachable(way, `failed (${status}, ${doing})`);
  return new OperatorNeededError(
    way.side.unexpected,
    `Vault answered with ${status} (${doing}). See that the address is that of a Vault and that the mount is there and of the right kind, then retry.`,
  );
}
