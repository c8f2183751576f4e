/** What `rekey doctor` may find, worst first. `waits`: only a person can go on. */
export const lookStates = ["bad", "waits", "warn", "ok"] as const;
export type LookState = (typeof lookStates)[number];

/** One thing that was looked at. */
export interface Look {
  /** `Connection shop/main` */
  readonly about: string;
  readonly state: LookState;
  /** One sentence or two. */
  readonly text: string;
  /** What to do about it: to copy into a terminal, or into the system that it names. */
  readonly mend?: string | undefined;
}

/** Worst first; what is equally bad stays in its order. */
export function worstFirst<L extends Pick<Look, "state">>(looks: readonly L[]): readonly L[] {
  return looks.toSorted((a, b) => lookStates.indexOf(a.state) - lookStates.indexOf(b.state));
}

export const worstOf = (looks: readonly Pick<Look, "state">[]): LookState => worstFirst(looks)[0]?.state ?? "ok";

/** A clock that differs so much makes times in logs and evidence hard to compare; nothing is decided by it. */
const muchClockMs = 5_000;

/** How far a clock is from the ledger's, seen between two readings of the ledger's. Milliseconds; late is negative. */
export function clockDifference(at: number, before: number, after: number): number {
  if (at < before) return at - before;
  return at > after ? at - after : 0;
}

export const isMuch = (differenceMs: number): boolean => Math.abs(differenceMs) > muchClockMs;

/** `3 hours`: how long something has been so, for a person. */
export function roughly(ms: number): string {
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
  ] as const;
  const [name, size] = units.find(([, one]) => ms >= 2 * one) ?? ["second", 1_000];
  const count = Math.max(0, Math.round(ms / size));
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}
