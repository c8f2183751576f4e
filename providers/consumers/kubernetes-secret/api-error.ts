import { OperatorNeededError, PermanentError, TransientError, type RekeyError } from "../../../domain/errors.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import { rulesOf, wordsFor, yamlOf, type Right } from "./rights.ts";

/** The right is missing: the sentence names it, and the rule to add. */
export function forbidden(rights: readonly Right[], namespace: string): OperatorNeededError {
  const what = rights.map(wordsFor).join(", ");
  const rules = rulesOf(rights).map(yamlOf).join("\n");
  return new OperatorNeededError(
    "right_missing",
    `The connection's service account may not ${what} in namespace ${namespace}. Add this to the rules of its Role there, then retry:\n${rules}`,
  );
}

/** RBAC allows it, and something behind it does not. */
export function notAdmitted(right: Right, namespace: string): OperatorNeededError {
  return new OperatorNeededError(
    "target_refused",
    `The service account may ${wordsFor(right)} in namespace ${namespace}, but an admission policy or webhook of the cluster refuses the change. Let it through for this service account, then retry.`,
  );
}

/** Why a call did not do what was asked, in our words: the server's own could hold anything. */
export function failureOf({ outcome, status = 0 }: EgressAnswer, right: Right, namespace: string): RekeyError {
  const doing = `${wordsFor(right)} in namespace ${namespace}`;
  if (outcome !== "reached")
    return new TransientError(
      "target_unreachable",
      `The API server ${outcome === "timed-out" ? "did not answer in time" : "could not be reached"}. It will be tried again; if that lasts, compare server and ca of the connection with the cluster's, and look at egress.refused in the worker's log for the reason.`,
    );
  if (status === 401)
    return new OperatorNeededError(
      "target_auth_failed",
      "The API server does not know the connection's token: it has expired, or its service account is gone. Make a new one (kubectl create token), apply the connection again with it, then retry.",
    );
  if (status === 403) return forbidden([right], namespace);
  if (status === 409)
    return new TransientError(
      "target_drift",
      `Somebody else changed the object at the same time (${doing}). It will be tried again.`,
    );
  if (status === 410)
    return new TransientError(
      "target_unreachable",
      `The list changed while it was read (${doing}). It will be tried again.`,
    );
  if (status === 413)
    return new OperatorNeededError(
      "target_full",
      `The API server takes no request of this size (${doing}). Make room in the Secret, then retry.`,
    );
  if (status === 429)
    return new TransientError(
      "target_unreachable",
      `The API server has too much to do (429, ${doing}). It will be tried again.`,
    );
  if (status >= 500 || status === 408)
    return new TransientError(
      "target_unreachable",
      `The API server failed (${status}, ${doing}). It will be tried again; if that lasts, look at its health.`,
    );
  if (status === 400 || status === 422)
    return new PermanentError(
      "target_refused",
      `The API server, or an admission policy of the cluster, finds the change invalid (${status}, ${doing}). Try it by hand with kubectl as the same service account to see why; correct the registration or the policy, then start again.`,
    );
  return new OperatorNeededError(
    "target_refused",
    `The API server answered with ${status} (${doing}). See that server of the connection is the address of an API server, then retry.`,
  );
}
