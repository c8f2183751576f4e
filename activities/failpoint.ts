let armed: string | undefined;

/** The places in a step at which a process can be made to die; `call` is just before the call with the effect goes out. */
export type FailpointPlace = "B0" | "B1" | "call" | "B2" | "B3" | "B4";

/**
 * Arms one failpoint: `<step>:<place>` dies there, `<step>:<place>:stop` stands still there, once, until it is told to go
 * on. Only `settings.ts` knows where the name comes from.
 */
export function armFailpoint(name: string | undefined): void {
  armed = name;
}

/**
 * Ends this process as a power cut would, when this very point is armed and `isThere`. Compiled out of the published
 * package.
 */
export function failpoint(step: string, place: FailpointPlace, isThere = true): void {
  if (!isThere) return;
  if (armed === `${step}:${place}`) process.kill(process.pid, "SIGKILL");
  if (armed !== `${step}:${place}:stop`) return;
  armed = undefined;
  process.kill(process.pid, "SIGSTOP");
}
