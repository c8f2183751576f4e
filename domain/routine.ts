/** When routine work is due, and when consumers may feel it. All of it is said in policies. */

/** Until somebody asks; after so long; or at the times of a cron expression of five fields, as a zone's clocks show them. */
export type Schedule =
  | { readonly kind: "manual" }
  | { readonly kind: "every"; readonly everyMs: number }
  | { readonly kind: "cron"; readonly cron: string; readonly timeZone: string };

export const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof days)[number];

/** From one time of the day until another, `HH:MM`; the second may lie on the following day. */
export interface Opening {
  /** On which it begins. */
  readonly days: readonly Day[];
  readonly from: string;
  readonly to: string;
}

/** When a policy allows effects that consumers can feel: deliver, disable, revoke. No opening means always. */
export interface Windows {
  readonly timeZone: string;
  readonly openings: readonly Opening[];
}

/** Nothing of a policy's routine happens until then. ISO 8601. */
export interface Pause {
  readonly reason: string;
  readonly until: string;
}

/** No effect that consumers can feel, by declaration of a person. Times in milliseconds since 1970. */
export interface Freeze {
  readonly id: string;
  readonly reason: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Between 0 and 1, the same each time: where an id lies when a load is spread. */
export function spreadOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  // Neighbours of one sequence differ in their last letters only; this carries that into the high bits.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 0x1_0000_0000;
}
