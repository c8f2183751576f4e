/** What the program ends with. Scripts rely on these. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  /** A rotation waits for a person, `init` found something in the way, `leak check` something of ours that is alive, or an emergency what it cannot end. */
  person: 3,
  timeOut: 4,
  /** `apply --dry-run --exit-code` found something to change. */
  pending: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** For the help and `docs/operating.md`. */
export const exitMeanings: Readonly<Record<ExitCode, string>> = {
  0: "done; of a rotation that was waited for: proven",
  1: "refused or failed; of a rotation that was waited for: closed, and not proven; of doctor: something is bad; of leak check: a value was not compared; of rotate --emergency: not all of it was declared",
  2: "what was written is wrong: the command, a setting, a manifest, a secret or its place; nothing was changed",
  3: "a rotation waits for a person; of init: something is in the way; of leak check: one is ours and not proven dead; of rotate --emergency: some of it only a person can end",
  4: "the --timeout is over; what was asked for goes on",
  5: "apply --dry-run --exit-code: there is something to change",
  130: "interrupted by Ctrl-C; a rotation goes on without its watcher",
};

/** The end of the help. */
export function exitCodeLines(): readonly string[] {
  return ["Exit codes:", ...Object.entries(exitMeanings).map(([code, meaning]) => `  ${code.padEnd(4)} ${meaning}`)];
}
