import { Cron } from "croner";

/** Reads no clock and starts nothing: it is only asked. */
const read = (expression: string, timeZone: string) =>
  new Cron(expression, { timezone: timeZone, paused: true, mode: "5-part" });

/**
 * The first time after `afterMs` that the expression names, in milliseconds since 1970; undefined when there is none. A
 * time that a jump of the clocks leaves out comes when they have jumped; one that is shown twice comes once.
 */
export function nextCron(expression: string, timeZone: string, afterMs: number): number | undefined {
  return read(expression, timeZone).nextRun(new Date(afterMs))?.getTime();
}

/** Why an expression cannot be used, in words that go on from its name; undefined when it can. */
export function cronTrouble(expression: string, afterMs: number): string | undefined {
  try {
    if (nextCron(expression, "UTC", afterMs) !== undefined) return undefined;
    return "names a time that never comes, such as the 30th of February";
  } catch {
    return "must have five fields, each within its bounds: minute, hour, day of the month, month, day of the week, such as `30 3 * * mon`";
  }
}
