/** What a look outside can be about: a registered row, or what nobody has registered yet. */
export type CheckSubject = "credential" | "connection" | "consumer" | "notice" | "none";

/** Each kind of check, and what it looks at. Its work is `activities/checks/<kind>.ts`. */
export const checkSubjects = {
  adopt: "credential",
  init: "none",
  doctor: "none",
  "consumer-test": "consumer",
  move: "credential",
  "notice-test": "notice",
  receipt: "credential",
} as const satisfies Readonly<Record<string, CheckSubject>>;

export type CheckKind = keyof typeof checkSubjects;

/**
 * A secret that was given for one check alone is destroyed when the check has ended. One that no worker has taken up for
 * so long fails instead, and the secret is destroyed with that.
 */
export const checkSecretLifeMs = 10 * 60_000;
