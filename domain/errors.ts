/**
 * Every failure that rekey reports has one of these codes. The title is fixed text: it may travel anywhere, workflow
 * histories included. What a person reads next to it (`detail`) is safe for operators and lies in the ledger only.
 */
export const codes = {
  // reaching a system
  issuer_unreachable: "The issuer cannot be reached",
  issuer_auth_failed: "The connection's own login is refused by the issuer",
  issuer_identity_changed: "The issuer is not the server it was",
  issuer_in_recovery: "The issuer is a replica in recovery",
  transport_unverified: "The issuer asked for a password over a way that exposes it",
  target_unreachable: "The target cannot be reached",
  target_auth_failed: "The connection's own login is refused by the target",
  target_read_only: "The target cannot be written",
  target_full: "The target has no room left",
  target_refused: "The target is outside what the settings or the connection allow",
  target_drift: "Somebody else changed the target",
  target_unused: "A target that rekey never wrote holds nothing that an application could run on",
  target_malformed: "The target's content cannot be parsed",
  reload_failed: "The consumer could not be told to reload",
  // trouble that stores and clouds have alike, whether they issue, are written to or keep values
  system_sealed: "The system is sealed",
  system_standby: "The system that answered is a standby",
  system_throttled: "The system asks for fewer calls",
  login_expired: "The connection's own login has expired",
  clock_skewed: "This machine's clock and the system's differ too much",
  region_wrong: "The call went to another region than the one it is for",
  account_unknown: "The account is not the one that the connection names",
  // rights and room
  right_unneeded: "The connection's login may do more than it needs",
  right_missing: "The connection lacks a right it needs",
  principal_missing: "The principal does not exist at the issuer",
  principal_mismatch: "The principals do not have the same rights and settings",
  principal_unfit: "The login is set up so that it cannot be rotated",
  principal_owns_objects: "A login of the pair owns objects",
  principal_is_connection: "A connection's own principal cannot be managed",
  no_free_slot: "The issuer has no free slot for a new version",
  // one attempt at a time
  claim_outdated: "A newer attempt has taken over",
  handle_taken: "The issuer answered with a version that is not ours",
  // values
  value_unfit: "The value is empty, redacted or has characters its place cannot hold",
  custody_missing: "The value is not in custody",
  former_unknown: "Nobody has given rekey the value that the consumers have today",
  custody_unreadable: "The value in custody cannot be opened",
  custody_key_missing: "The custody key is missing",
  custody_unreachable: "The custody cannot be reached",
  custody_auth_failed: "The custody refuses rekey's own login",
  custody_place_unknown: "The settings do not name the place where the value lies",
  move_refused: "The values cannot be moved as they are",
  // proof
  evidence_missing: "Not every consumer has shown the evidence its policy asks for",
  registration_changed: "A consumer was changed or removed while the rotation ran",
  stranger_seen: "Somebody who is not registered uses the old version",
  still_in_use: "The old version is still in use",
  candidate_in_use: "The candidate is still in use",
  no_consumers: "The credential has no registered consumer",
  consumer_unhealthy: "A consumer failed while the old version was disabled",
  death_unproven: "The ended version has not been seen refused under control",
  candidate_refused: "The issuer does not accept the candidate",
  // asking for a rotation
  not_adopted: "Nobody has given rekey the value that the credential has today",
  principal_claimed: "Two credentials name the same login",
  principal_busy: "Another rotation uses one of the credential's logins",
  already_adopted: "The credential has a current version already",
  check_pending: "Another check of the same credential is under way",
  check_expired: "No worker has taken up the check in time",
  command_refused: "The command does not fit the rotation as it is",
  // asking rekey for anything
  setting_invalid: "A setting is not valid",
  manifest_invalid: "A manifest is not valid",
  plan_changed: "Something has changed since the plan was shown",
  request_invalid: "The request is not valid",
  not_found: "Nothing was found",
  token_refused: "The token is missing, unknown, expired or revoked",
  forbidden: "This token may not do that",
  host_refused: "The API does not answer to that name",
  too_many_requests: "Too many requests in one minute",
  port_taken: "The port is in use",
  home_in_use: "Another rekey runs in the home folder",
  api_unreachable: "The API cannot be reached",
  grant_refused: "The grant cannot be answered as it is",
  delete_refused: "It cannot be deleted as it is",
  // people and books
  ledger_unreachable: "The ledger cannot be reached",
  ledger_busy: "The ledger made a request give way to others",
  ledger_refused: "The ledger's PostgreSQL refuses rekey",
  ledger_schema: "The ledger's schema does not fit this program",
  temporal_unreachable: "Temporal cannot be reached",
  trail_unfit: "The rotation's audit rows are not sealed as they should be",
  restore_failed: "A consumer could not be brought back to the previous version",
  connection_changed: "The connection was edited during the rotation",
  demanded: "A person asked for it",
  emergency_overdue: "The time of an emergency is over and a version is not dead",
  version_compromised: "A version that has leaked was to be delivered",
  internal: "rekey met something it did not expect",
} as const;

export type Code = keyof typeof codes;

/** Base of all errors that carry a code. `detail` says what was found and what to do next; never a foreign message. */
export abstract class RekeyError extends Error {
  readonly code: Code;
  readonly detail: string;
  constructor(code: Code, detail: string) {
    super(`${codes[code]}: ${detail}`);
    this.code = code;
    this.detail = detail;
  }
}

/** Goes away by itself: retried with back-off. */
export class TransientError extends RekeyError {
  override readonly name = "TransientError";
}

/** A person has to change something first: the rotation holds. */
export class OperatorNeededError extends RekeyError {
  override readonly name = "OperatorNeededError";
}

/** Will never work: not retried. */
export class PermanentError extends RekeyError {
  override readonly name = "PermanentError";
}

/** The same error with words in front that say where it was met. What is none of ours stays as it is. */
export function ledBy(error: unknown, lead: string): unknown {
  if (!(error instanceof RekeyError)) return error;
  const detail = `${lead}${error.detail}`;
  if (error instanceof TransientError) return new TransientError(error.code, detail);
  return error instanceof OperatorNeededError
    ? new OperatorNeededError(error.code, detail)
    : new PermanentError(error.code, detail);
}
