/** What the program ends with. Scripts rely on these. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  /** A rotation waits for a person. */
  person: 3,
  timeOut: 4,
  /** `apply --dry-run --exit-code` found something to change. */
  pending: 5,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
