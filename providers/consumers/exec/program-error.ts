import { OperatorNeededError, PermanentError, TransientError, type RekeyError } from "../../../domain/errors.ts";
import { programCodes, type Action, type ProgramCode } from "./protocol.ts";
import { longestOutput, type Ending } from "./run-program.ts";

const setting = "REKEY_EXEC_CONSUMERS_FILE";

/** Which program, and what it was asked; all of it is ours to say. */
export interface Asked {
  /** The entry's name. */
  readonly program: string;
  readonly action: Action;
}

/** The program keeps the protocol no longer, or never did. Nobody knows what it has done. */
export function brokenProtocol({ program, action }: Asked, what: string): OperatorNeededError {
  return new OperatorNeededError(
    "internal",
    `The program "${program}" answered to ${action} with ${what}. Hold it against the protocol (providers/consumers/exec/README.md), mend it, then retry.`,
  );
}

export function noSuchProgram(program: string): OperatorNeededError {
  return new OperatorNeededError(
    "target_refused",
    `The worker's settings have no program "${program}". Add it to ${setting} of the workers and start them again, then retry; or register another.`,
  );
}

/** Why there is no answer. */
export function withoutAnswer(
  ending: Ending,
  asked: Asked,
  { uid, timeoutMs }: { readonly uid?: number | undefined; readonly timeoutMs: number },
): RekeyError {
  const { program, action } = asked;
  const failed = (what: string, advice: string): RekeyError =>
    new TransientError(
      "target_unreachable",
      `The program "${program}", asked to ${action}, ${what}. It will be tried again; if that lasts, ${advice}.`,
    );
  switch (ending.how) {
    case "not started":
      return notStarted(ending.errno, program, uid);
    case "said too much":
      return brokenProtocol(asked, `more than ${longestOutput} bytes`);
    case "timed out":
      return failed(
        `took longer than ${timeoutMs} ms and was ended`,
        `run it by hand or raise its timeoutMs in ${setting}`,
      );
    case "killed":
      return failed("was ended by a signal", "look who ends it (memory, limits)");
    case "cancelled":
      return failed("was cancelled", "look why the worker stops");
    case "ended":
      return failed(
        `ended with code ${ending.code}, so that its answer does not count`,
        "run it by hand with a request of that action",
      );
  }
}

/** The target is written and the application has not been told, for whatever reason. Accepted, a person restarts it. */
export function notReloaded(error: RekeyError): OperatorNeededError {
  const why = error.detail.replace(/ It will be tried again; if that lasts, .*$/, "");
  return new OperatorNeededError(
    "reload_failed",
    `${why} The target is written. Mend the program and retry, or restart the application by hand.`,
  );
}

const passing = new Set(["EAGAIN", "EMFILE", "ENFILE", "ENOMEM"]);

function notStarted(errno: string, program: string, uid: number | undefined): RekeyError {
  if (passing.has(errno))
    return new TransientError(
      "target_unreachable",
      `The program "${program}" could not be started: the worker's host has no room for another process (${errno}). It will be tried again.`,
    );
  if (errno === "EPERM" && uid !== undefined)
    return new OperatorNeededError(
      "target_refused",
      `The worker may not become the user ${uid} of the program "${program}". Run the worker with that right, or run it as that user and take uid away from ${setting}; then retry.`,
    );
  return new OperatorNeededError(
    "target_unreachable",
    `The program "${program}" could not be started (${errno}). See that the file that ${setting} names exists and that its user may run it, then retry.`,
  );
}

type Failure = readonly [of: new (code: ProgramCode, detail: string) => RekeyError, detail: string];

/** The program gives a code and nothing else: what it had to say besides could hold the value. */
const failures: Readonly<Record<ProgramCode, Failure>> = {
  target_unreachable: [
    TransientError,
    "cannot reach the target. It will be tried again; if that lasts, look at the target and at the program's own log.",
  ],
  target_read_only: [
    OperatorNeededError,
    "may not write the target. Give the program's user or login the right, then retry.",
  ],
  target_full: [TransientError, "finds no room at the target. Make some; the former content is untouched."],
  target_refused: [
    PermanentError,
    "does not serve this target. Correct the registration, or let the program serve it; then start again.",
  ],
  target_drift: [
    OperatorNeededError,
    "finds something else at the target than rekey knew. Find out who writes it and put our content back, then retry; or roll back.",
  ],
  target_malformed: [OperatorNeededError, "cannot read what lies at the target. Mend it by hand, then retry."],
  reload_failed: [OperatorNeededError, "could not tell the application to reload. Look at the program's own log."],
  claim_outdated: [PermanentError, "has served a later delivery to this target."],
  value_unfit: [
    PermanentError,
    "cannot write this value to the target: it has characters or a length that do not fit.",
  ],
};

const isProgramCode = (code: string): code is ProgramCode => (programCodes as readonly string[]).includes(code);

/** What a program said that went wrong. */
export function saidError(code: string, asked: Asked): RekeyError {
  if (!isProgramCode(code)) return brokenProtocol(asked, "an error code that the protocol does not have");
  const [Failed, detail] = failures[code];
  return new Failed(code, `The program "${asked.program}" ${detail}`);
}
