import { days, type Day } from "../domain/routine.ts";

/** What a zone's clocks show. */
export interface WallTime {
  readonly day: Day;
  /** Since midnight, as it is shown: 2:30 is 150, also on the day on which it comes twice. */
  readonly minutes: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const options = { timeZone, weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  const made = new Intl.DateTimeFormat("en-US", options);
  formats.set(timeZone, made);
  return made;
}

/** Whether the system's table of time zones has it. */
export function isTimeZone(timeZone: string): boolean {
  try {
    formatOf(timeZone);
    return true;
  } catch {
    return false;
  }
}

export function wallTime(atMs: number, timeZone: string): WallTime {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  );
  const day = days.find((one) => one === parts.get("weekday")?.toLowerCase());
  if (day === undefined) throw new Error("A day without a name.");
  return { day, minutes: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
}
