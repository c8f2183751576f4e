import type { Code } from "./errors.ts";

/**
 * What a person does next, for each code: true whatever the case, so that it can stand in a page. The `detail` of an
 * error says more, with names. A code without advice does not compile.
 */
export const advice: Readonly<Record<Code, string>> = {
  issuer_unreachable:
    "Check that the issuer runs and that workers of the connection's pool reach its address; the step is tried again by itself, and a hold takes `retry`.",
  issuer_auth_failed: "Set the connection's secret again with `rekey apply`, then `retry`.",
  issuer_identity_changed:
    "Find out why another server answers at the address. Point the connection at the right one; if the server was replaced on purpose, apply the connection again, then start a new rotation.",
  issuer_in_recovery: "Point the connection at the primary, or wait until the replica has been promoted, then `retry`.",
  transport_unverified:
    "Turn on TLS or SCRAM at the issuer. rekey answers neither a clear-text nor an MD5 request, since the answer would give the password away.",
  target_unreachable: "Make the target's folder or host reachable for the worker, then `retry`.",
  target_auth_failed: "Set the connection's secret again with `rekey apply`, then `retry`.",
  target_read_only: "Let the worker's user write the target and its folder, then `retry`.",
  target_full: "Make room where the target lies, then `retry`; the former content is untouched.",
  target_refused:
    "Register a place below the allowed roots or a program that the settings name, or add the root to `REKEY_FILE_ROOTS` or the program to the file of `REKEY_EXEC_CONSUMERS_FILE` of the workers, and start them again. Where the detail speaks of a connection: add the place to what its manifest allows the team, apply that, then `retry`. Where it says that a workload does not read the keys: correct `secret`, `keys` or `workloads` of the consumer, apply that, then `retry`.",
  target_drift:
    "Compare the target with what rekey delivered. Put back what was changed by hand, or remove it, then `retry`; nothing foreign is overwritten.",
  target_unused:
    "Look whether the place in the consumer's manifest is the one that its application reads. Correct it with `rekey apply`, then `retry`; the hold says how to go on if the target is to be made new.",
  target_malformed: "Correct the target so that it parses, then `retry`.",
  reload_failed:
    "Look at the named entry of `REKEY_RELOADS_FILE` or at the named program, then `retry`. You may also restart the consumer yourself; the hold says how it goes on then.",
  system_sealed: "Unseal it. Nothing is lost meanwhile: the step is tried again by itself, and a hold takes `retry`.",
  system_standby:
    "Nothing while a standby takes over. If it lasts, let the connection's address lead to the active node, then `retry`.",
  system_throttled:
    "Nothing: rekey asks again later by itself. If it lasts, find out who else makes that many calls, or have the limit raised.",
  login_expired:
    "Give the connection a login that lives, with `rekey apply` and its `secretFrom`, then `retry`. One that rekey renews by itself does not run out.",
  clock_skewed:
    "Set the clock of the worker's host by a time server, then `retry`; signed calls are refused until then.",
  region_wrong: "Correct the region in the connection or the configuration, then `retry`.",
  account_unknown:
    "Correct the connection's account or give the login of the right one with `rekey apply`, then `retry`. Nothing was done in the other account.",
  right_unneeded:
    "Nothing stops, but whoever gets the connection's secret could do all of it. Take away what `rekey doctor` names, with the statement that it prints.",
  right_missing: "Run the statement that the finding prints as an administrator of the issuer, then `retry`.",
  principal_missing: "Create the role at the issuer, or correct its name in the credential, then `retry`.",
  principal_mismatch: "Run the statements that the finding prints, so that both logins may do the same, then `retry`.",
  principal_unfit: "Change the login as the finding says, with the statement that it prints, then `retry`.",
  principal_owns_objects:
    "Run the statements that the finding prints: what the logins own goes to their owner role, so that neither is needed later.",
  principal_is_connection: "Give the connection a login of its own. The hand that rotates is not rotated by itself.",
  no_free_slot:
    "End a version that nobody needs, or raise the issuer's limit, then `retry`; rekey never picks one to remove. Where a version has leaked, `rekey rotate … --emergency --when-full in-place` ends that one first and puts the new one in its place.",
  claim_outdated: "Nothing: the newer attempt carries the rotation on.",
  handle_taken:
    "If somebody changed or removed the mark that rekey keeps at the issuer, run the statement that the detail prints, then `retry`. If another credential or installation holds the version, correct the settings so that they differ.",
  value_unfit: "Give a value that is whole: not empty, not masked, without control characters.",
  custody_missing:
    "Restore the custody's data from a backup if there is one, then `retry`. A destroyed value cannot be had back: the hold says which ways are left without it. A connection's secret is given again with `rekey apply`.",
  former_unknown:
    "Keep the value that the consumers have now where you find it again: an undo cannot put it back for you. The hold says what each answer does.",
  custody_unreadable:
    "Restore the key file that belongs to this ledger. If a row was changed by hand, restore the ledger from its backup.",
  custody_key_missing:
    "Put the key file back where `REKEY_CUSTODY_KEY_FILE` points, readable by its owner only. Without it the values are lost.",
  custody_unreachable:
    "Make the store reachable for every process of rekey. Steps that need a value are tried again by themselves, and a hold takes `retry`.",
  custody_auth_failed:
    "Give rekey's login for the store again, in the file that the settings name, and see that its policy allows what the documentation lists; then `retry`.",
  custody_place_unknown:
    "Put the entry of that place back into the file that `REKEY_CUSTODIES_FILE` names, the same one for the API and every worker, restart them, then `retry`. `rekey credential move` takes a credential's values elsewhere before a place is given up.",
  move_refused:
    "Do what the detail says, then `rekey credential move` again. Until then every value can be read where it lies.",
  evidence_missing:
    "Look which consumer and what is missing, restart or correct that consumer, then `retry`; the hold says what it means to go on without its proof.",
  registration_changed:
    "Look at what was changed. While the rotation is in `reserved`, `retry` goes on with the consumers as they are registered now; later the hold says what it means to go on all the same.",
  stranger_seen:
    "Register the user that the gap names as a consumer, or stop it, then `retry`; the hold says what it means to go on all the same.",
  still_in_use:
    "Move or stop the users that the gap names, then `retry`; the hold says what it means to go on all the same.",
  candidate_in_use:
    "Bring the named users back to the previous version, then `retry`; the hold says what it means to go on all the same.",
  no_consumers:
    "Register who uses the credential, then `retry`. If really nobody does, the hold says how to go on in your name.",
  consumer_unhealthy: "The old version has been enabled again. Find out what still needs it before you `retry`.",
  death_unproven:
    "Look at the controls in the hold: they say why the refusal does not count. Correct that and `retry`; the hold says what it means to close without the proof.",
  candidate_refused:
    "Look at the issuer's access rules for the version that the hold names, then `retry`; the hold says whether the rotation can still go back.",
  not_adopted:
    "Give the value that the credential has today, with the command that `rekey credential show CREDENTIAL` names, then rotate.",
  principal_claimed: "Take the login out of one of the two credentials; one login belongs to one credential.",
  principal_busy:
    "Wait until the other rotation has closed, or end it; one login takes part in one rotation at a time.",
  already_adopted: "Nothing: the value is known. To replace it, rotate.",
  check_pending: "Wait until the other check has ended, then ask again.",
  check_expired: "See that a worker runs (`rekey up`, or `rekey worker`), then ask again.",
  command_refused: "Look at the rotation with `rekey rotation show`: it says which commands fit now.",
  setting_invalid: "Correct the variable that the message names; `docs/settings.md` has every setting.",
  manifest_invalid: "Correct the line that the message names, then apply again; nothing has been changed.",
  plan_changed: "Look at the plan again, and apply that if it is still what you want.",
  request_invalid: "Correct what the message names, then ask again; nothing was changed.",
  delete_refused: "Do what the message names for each reason, then delete it again; nothing has been changed.",
  grant_refused:
    "Read the grant as it is now (`rekey grant show`) and do what the message says; `rekey grant list` shows those that wait.",
  not_found:
    "Check the name and its team. `rekey credential list`, `rekey consumer list`, `rekey rotation list`, `rekey notice list` and the like show what there is.",
  token_refused:
    "Point `REKEY_TOKEN_FILE` at a token that is valid. An admin makes one for you with `rekey token create`; `rekey up`, started again, writes one to its home folder; whoever has the ledger's address makes one with `rekey token recover`.",
  forbidden:
    "Ask somebody who may: the message says who. An admin makes tokens of other roles with `rekey token create`.",
  host_refused:
    "Ask from the same machine, by 127.0.0.1 or localhost, or by a name that the API's `REKEY_NAMES` lists.",
  too_many_requests: "Wait a minute, then ask less often.",
  port_taken: "Stop what uses the port, or choose another with `REKEY_PORT`.",
  home_in_use: "Use the one that runs, stop it, or choose another folder with `--home` or `REKEY_HOME`.",
  api_unreachable: "Start rekey with `rekey up`, or point `REKEY_ADDRESS` at where it runs.",
  ledger_unreachable:
    "Check that PostgreSQL runs and that `DATABASE_URL` points at it. Everything goes on by itself then.",
  ledger_busy: "Ask again. Whoever it gave way to has gone on by then.",
  ledger_refused: "Correct `DATABASE_URL` or the server, as the detail says, then start it again.",
  ledger_schema:
    "Run `rekey migrate` with this program if the ledger is older; use the newer program if the ledger is newer.",
  temporal_unreachable:
    "Check that Temporal runs and that `TEMPORAL_ADDRESS` points at it. Rotations go on by themselves then.",
  trail_unfit:
    "See that a worker runs, so that the trail is sealed, then ask again. A row that was changed since is named by `rekey audit verify`.",
  restore_failed:
    "Do what the detail says, for example make the named consumer's target writable, or let the previous version log in again; then `retry`. Until then both versions are kept. The hold says what it means to leave the consumer where it is.",
  connection_changed:
    "Look at what was edited. Put the connection back and `retry`; if it still leads to the same server, `retry` goes on with it as it is.",
  demanded: "Answer the hold when you are ready.",
  emergency_overdue:
    "See which consumers have not moved (`rekey rotation show`). `accept` ends the version now, whoever breaks; `retry` goes on waiting for them.",
  version_compromised:
    "Nothing was delivered. Report it with the worker's log; the emergency goes on with a version that is clean.",
  internal: "Keep the log of the worker around that time and report it; `retry` is safe.",
};
