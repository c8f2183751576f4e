import { z } from "zod";
import { cronTrouble } from "../calendar/cron.ts";
import { isTimeZone } from "../calendar/wall-clock.ts";
import { days, type Pause, type Schedule, type Windows } from "../domain/routine.ts";
import { durationSchema, showDuration } from "./duration.ts";

const manual = "manual";
const always = "always";

const timeZone = z
  .string({ error: "must be a time zone such as Europe/Berlin, or UTC" })
  .refine(isTimeZone, "must be a time zone such as Europe/Berlin, or UTC");

const scheduleText =
  "must be manual, { every: 30d } or { cron: 30 3 * * mon, timeZone: Europe/Berlin }, with the cron in quotes";

const schedule = z
  .union(
    [
      z.literal(manual),
      z.strictObject({ every: z.string() }),
      z.strictObject({ cron: z.string(), timeZone: z.string().optional() }),
    ],
    { error: scheduleText },
  )
  .transform((given, context): Schedule => {
    if (given === manual) return { kind: "manual" };
    if ("every" in given) {
      const parsed = durationSchema.safeParse(given.every);
      if (parsed.success && parsed.data > 0) return { kind: "every", everyMs: parsed.data };
      const message = parsed.success ? "must be longer than nothing" : (parsed.error.issues[0]?.message ?? "");
      context.addIssue({ code: "custom", path: ["every"], message });
      return z.NEVER;
    }
    const trouble = cronTrouble(given.cron, Date.now());
    if (trouble !== undefined) context.addIssue({ code: "custom", path: ["cron"], message: trouble });
    const zone = timeZone.safeParse(given.timeZone ?? "UTC");
    if (!zone.success)
      context.addIssue({ code: "custom", path: ["timeZone"], message: zone.error.issues[0]?.message ?? "" });
    return { kind: "cron", cron: given.cron, timeZone: given.timeZone ?? "UTC" };
  });

const timeText = "must be a time of the day such as 22:00, in quotes";
const time = (last: RegExp) => z.string({ error: timeText }).regex(last, timeText);
const upTo24 = /^([01]\d|2[0-3]):[0-5]\d$|^24:00$/;

const opening = z.strictObject({
  days: z
    .array(z.enum(days, `must be some of ${days.join(", ")}`))
    .min(1, "must name a day, or nothing is ever allowed")
    .default([...days]),
  from: time(/^([01]\d|2[0-3]):[0-5]\d$/),
  to: time(upTo24),
});

const windows = z
  .union(
    [
      z.literal(always),
      z.strictObject({
        timeZone: timeZone.default("UTC"),
        open: z.array(opening).min(1, "must name a time at which it is open; write `windows: always` for no limit"),
      }),
    ],
    { error: 'must be always, or { timeZone: Europe/Berlin, open: [{ days: [sat], from: "22:00", to: "04:00" }] }' },
  )
  .transform((given): Windows =>
    given === always ? { timeZone: "UTC", openings: [] } : { timeZone: given.timeZone, openings: given.open },
  );

const instant = z.iso.datetime({ offset: true, error: "must be a time with its zone, such as 2027-01-07T08:00:00Z" });

const pause = z.strictObject({
  reason: z.string().min(1, "must say why, for whoever meets it").max(500),
  until: instant,
});

/** What a policy's manifest says of when, and how the ledger keeps it. */
export const routineFields = {
  schedule: schedule.optional(),
  windows: windows.optional(),
  pause: pause.optional(),
};

export interface Routine {
  readonly schedule?: Schedule | undefined;
  readonly windows?: Windows | undefined;
  readonly pause?: Pause | undefined;
}

/** In a manifest's words. */
export function showRoutine({ schedule: when, windows: limits, pause: paused }: Routine) {
  return {
    ...(when === undefined ? {} : { schedule: showSchedule(when) }),
    ...(limits === undefined ? {} : { windows: showWindows(limits) }),
    ...(paused === undefined ? {} : { pause: paused }),
  };
}

function showSchedule(given: Schedule) {
  if (given.kind === "manual") return manual;
  if (given.kind === "every") return { every: showDuration(given.everyMs) };
  return { cron: given.cron, timeZone: given.timeZone };
}

const showWindows = ({ timeZone: zone, openings }: Windows) =>
  openings.length === 0
    ? always
    : { timeZone: zone, open: openings.map(({ days: on, from, to }) => ({ days: on, from, to })) };
