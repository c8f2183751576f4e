import { obstaclesAt } from "../calendar/allowed.ts";
import { codes } from "../domain/errors.ts";
import { effectivePolicy } from "../domain/policy.ts";
import type { CalendarRow } from "../ledger/calendar-rows.ts";
import { mostFailures } from "../ledger/sweep-due.ts";
import { sayObstacle } from "./say-obstacle.ts";

const iso = (ms: number): string => new Date(ms).toISOString();

/** One credential in the calendar: when, and where it is not now, why not. */
export function calendarEntry(row: CalendarRow) {
  const { credential, environment, criticality, because, beginsMs, dueMs, openRotation, nowMs, isShared } = row;
  const state: "running" | "due" | "upcoming" = openRotation !== null ? "running" : dueMs <= nowMs ? "due" : "upcoming";
  return {
    ...{ credential, environment, state },
    ...(isShared ? { criticality: null, because: "" } : { criticality, because }),
    dueAt: iso(dueMs),
    beginsAt: beginsMs === null ? null : iso(beginsMs),
    rotation: openRotation,
    why: isShared || state === "running" ? [] : whyNot(row, state),
  };
}

function whyNot(row: CalendarRow, state: "due" | "upcoming"): string[] {
  const { credential, failures, failedCode, refusedCode, notBeforeMs, nowMs, dueMs, beginsMs, full } = row;
  const { windows, pause } = effectivePolicy(row.policy);
  const given = windows === undefined ? [] : [windows];
  // What forbids to begin at the time at which it is due.
  const at = Math.max(dueMs, nowMs);
  const why = obstaclesAt({ windows: given, freezes: row.freezes, pause }, at).map(sayObstacle);
  if (failures >= mostFailures)
    why.push(
      `${failures} rotations in a row failed for one reason (${titleOf(failedCode)}), so that a person has to begin: rekey rotate ${credential}`,
    );
  else if (notBeforeMs !== null && notBeforeMs > nowMs)
    why.push(`it is tried again ${iso(notBeforeMs)}, after: ${titleOf(refusedCode ?? failedCode)}`);
  if (beginsMs === null) why.push("its windows, freezes and pause leave no time within 400 days");
  if (state === "due" && full.length > 0) why.push(`as many are open as may be at once: ${full.join(", ")}`);
  if (state === "due" && why.length === 0) why.push("the next sweep; if none comes: rekey status");
  return why;
}

const titleOf = (code: CalendarRow["failedCode"]): string => (code === null ? "it failed" : (codes[code] ?? code));
