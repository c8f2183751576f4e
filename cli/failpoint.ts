import type { Io } from "./io.ts";

/** Taken out of the package like the failpoints themselves. A worker that is armed to die must not pass for a sound one. */
export function warnOfFailpoint(io: Io): void {
  if (io.settings.failpoint === undefined) return;
  io.warn(
    "REKEY_FAILPOINT is set: the worker kills or stops itself in a rotation. It is for crash tests only; unset it.",
  );
}
