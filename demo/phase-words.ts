import type { RotationView } from "./rekey.ts";

interface Logins {
  /** The login that is in use when the rotation starts. */
  readonly former: string;
  readonly next: string;
}

/** What has been done when a rotation reaches a phase, for somebody who sees it for the first time. */
export function wordsFor(
  phase: string,
  { direction }: Pick<RotationView, "direction">,
  { former, next }: Logins,
): string {
  const words = direction === "undo" ? backward[phase] : forward[phase];
  return words?.({ former, next }) ?? phase;
}

type Words = Readonly<Record<string, (logins: Logins) => string>>;

const forward: Words = {
  reserved: ({ next }) => `reserved    checked before anything is touched: reach, rights, ${next} is free, the file`,
  issued: ({ next }) => `issued      ${next} has a new password, sealed in custody before the server knew it`,
  delivered: () => "delivered   the file holds it: compared, swapped, read back; its other lines are untouched",
  adopted: ({ next }) => `adopted     seen at the server, again and again: the service works as ${next}`,
  promoted: () => "promoted    the new version is the current one",
  drained: () => "drained     grace over, the evidence collected again, and a first verdict: clear",
  disabled: ({ former }) => `disabled    ${former} is refused, and could still be brought back`,
  revoking: () => "revoking    second verdict, on newer evidence: clear. From here only forward",
  revoked: ({ former }) => `revoked     the password of ${former} is gone and its sessions are ended`,
  proven: ({ former, next }) =>
    `proven      ${former} refused, while ${next} was accepted on the same path, time after time`,
  closed: () => "closed      the old value is destroyed in custody",
};

const backward: Words = {
  promoted: () => "undo        the new version is no longer offered",
  delivered: () => "undo        begins: every step is taken back, the last one first",
  issued: () => "undo        the file holds the former version again",
  reserved: ({ next }) => `undo        ${next} was seen unused, has lost its password, and is refused`,
  closed: () => "closed      everything is as it was",
};
