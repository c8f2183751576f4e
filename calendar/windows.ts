import { days, type Day, type Opening, type Windows } from "../domain/routine.ts";
import { wallTime, type WallTime } from "./wall-clock.ts";

const minuteMs = 60_000;
const dayMinutes = 24 * 60;
const weekMinutes = 7 * dayMinutes;

const minutesOf = (time: string): number => {
  const [hours = "0", minutes = "0"] = time.split(":");
  return Number(hours) * 60 + Number(minutes);
};

const dayBefore = (day: Day): Day => days[(days.indexOf(day) + 6) % 7] ?? day;

function isIn({ days: begins, from, to }: Opening, { day, minutes }: WallTime): boolean {
  const [first, last] = [minutesOf(from), minutesOf(to)];
  if (first < last) return begins.includes(day) && first <= minutes && minutes < last;
  return (begins.includes(day) && first <= minutes) || (begins.includes(dayBefore(day)) && minutes < last);
}

/**
 * Whether a window is open, by what the zone's clocks show: a time that comes twice is open twice, one that a jump of
 * the clocks leaves out is not open on that day.
 */
export function isOpen({ timeZone, openings }: Windows, atMs: number): boolean {
  if (openings.length === 0) return true;
  const now = wallTime(atMs, timeZone);
  return openings.some((opening) => isIn(opening, now));
}

const inWeek = ({ day, minutes }: WallTime): number => days.indexOf(day) * dayMinutes + minutes;

/** Until the clocks show the beginning of the next opening, were they not to jump. */
function minutesToNext(openings: readonly Opening[], now: WallTime): number {
  const begins = openings.flatMap(({ days: on, from }) => on.map((day) => inWeek({ day, minutes: minutesOf(from) })));
  return Math.min(...begins.map((begin) => (begin - inWeek(now) + weekMinutes) % weekMinutes || weekMinutes));
}

/** So far ahead, or less, as the clocks do not jump. */
function withoutJump(atMs: number, timeZone: string, minutes: number): number {
  const shown = inWeek(wallTime(atMs, timeZone));
  let ahead = minutes;
  while (ahead > 1 && inWeek(wallTime(atMs + ahead * minuteMs, timeZone)) !== (shown + ahead) % weekMinutes)
    ahead = Math.floor(ahead / 2);
  return ahead;
}

/** For how long at a stretch a window is open at most, in a week in which the clocks do not jump; undefined: always. */
export function longestOpenMs({ openings }: Windows): number | undefined {
  if (openings.length === 0) return undefined;
  let [longest, current] = [0, 0];
  // Twice round the week, for the stretch that goes on from its last day into its first.
  for (let at = 0; at < 2 * weekMinutes; at += 1) {
    const day = days[Math.floor(at / dayMinutes) % days.length] ?? "mon";
    current = openings.some((one) => isIn(one, { day, minutes: at % dayMinutes })) ? current + 1 : 0;
    longest = Math.max(longest, current);
  }
  return longest >= weekMinutes ? undefined : longest * minuteMs;
}

/** The first minute from `fromMs` on at which a window is open, in milliseconds since 1970; `fromMs` itself if one is. */
export function nextOpen(windows: Windows, fromMs: number): number {
  if (isOpen(windows, fromMs)) return fromMs;
  const { timeZone, openings } = windows;
  let at = Math.ceil(fromMs / minuteMs) * minuteMs;
  while (!isOpen(windows, at))
    at += withoutJump(at, timeZone, minutesToNext(openings, wallTime(at, timeZone))) * minuteMs;
  return at;
}

/** When the window that is open at that time closes. At most so far as is looked: a week. */
export function closesAt(windows: Windows, fromMs: number): number | undefined {
  if (windows.openings.length === 0) return undefined;
  const end = fromMs + weekMinutes * minuteMs;
  for (let at = (Math.floor(fromMs / minuteMs) + 1) * minuteMs; at <= end; at += minuteMs)
    if (!isOpen(windows, at)) return at;
  return undefined;
}
