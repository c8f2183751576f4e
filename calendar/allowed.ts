import type { Freeze, Pause, Windows } from "../domain/routine.ts";
import { nextOpen, isOpen } from "./windows.ts";

/** What may forbid effects that consumers can feel. */
export interface Restrictions {
  /** Each has to be open. */
  readonly windows: readonly Windows[];
  readonly freezes: readonly Freeze[];
  readonly pause?: Pause | undefined;
}

/** What forbids them at one time, and until when by itself. Milliseconds since 1970. */
export type Obstacle =
  | { readonly kind: "window"; readonly untilMs: number; readonly timeZone: string }
  | { readonly kind: "freeze"; readonly untilMs: number; readonly reason: string }
  | { readonly kind: "pause"; readonly untilMs: number; readonly reason: string };

export function obstaclesAt({ windows, freezes, pause }: Restrictions, atMs: number): readonly Obstacle[] {
  const found: Obstacle[] = windows
    .filter((one) => !isOpen(one, atMs))
    .map((one) => ({ kind: "window", untilMs: nextOpen(one, atMs), timeZone: one.timeZone }));
  for (const { fromMs, untilMs, reason } of freezes)
    if (fromMs <= atMs && atMs < untilMs) found.push({ kind: "freeze", untilMs, reason });
  if (pause !== undefined && atMs < Date.parse(pause.until))
    found.push({ kind: "pause", untilMs: Date.parse(pause.until), reason: pause.reason });
  return found;
}

/** Further ahead nothing is planned: windows of several policies may never meet. */
const horizonMs = 400 * 24 * 3_600_000;

/** All that forbids them one after the other from `fromMs` on, the last of each kind, the first to end first. */
export function obstaclesFrom(restrictions: Restrictions, fromMs: number): readonly Obstacle[] {
  const last = new Map<string, Obstacle>();
  for (let at = fromMs; at <= fromMs + horizonMs;) {
    const obstacles = obstaclesAt(restrictions, at);
    if (obstacles.length === 0) break;
    for (const one of obstacles) last.set("reason" in one ? `${one.kind} ${one.reason}` : one.kind, one);
    at = Math.max(...obstacles.map(({ untilMs }) => untilMs));
  }
  return [...last.values()].toSorted((a, b) => a.untilMs - b.untilMs);
}

/** The first time from `fromMs` on at which nothing forbids effects; undefined when there is none within 400 days. */
export function allowedFrom(restrictions: Restrictions, fromMs: number): number | undefined {
  let at = fromMs;
  for (;;) {
    const obstacles = obstaclesAt(restrictions, at);
    if (obstacles.length === 0) return at;
    at = Math.max(...obstacles.map(({ untilMs }) => untilMs));
    if (at > fromMs + horizonMs) return undefined;
  }
}

/** Whether windows that all have to be open never are, as far as is planned from `fromMs` on. */
export function neverMeet(windows: readonly Windows[], fromMs: number): boolean {
  return windows.length > 1 && allowedFrom({ windows, freezes: [] }, fromMs) === undefined;
}
