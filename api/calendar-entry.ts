import { neverMeet, obstaclesAt, obstaclesFrom } from "../calendar/allowed.ts";
import { codes } from "../domain/errors.ts";
import { effectivePolicy } from "../domain/policy.ts";
import type { CalendarRow } from "../ledger/calendar-rows.ts";
import { restrictionsOf } from "../ledger/felt-effects.ts";
import { mostFailures } from "../ledger/sweep-due.ts";
import { sayNever, sayObstacle, sayTime } from "./say-obstacle.ts";

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
    since: isShared || row.openSinceMs === null ? null : iso(row.openSinceMs),
    why: isShared ? [] : state === "running" ? whyStopped(row) : whyNot(row, state),
  };
}

/** What keeps one that is under way from going on by itself. */
function whyStopped({
  openRotation,
  isHeld,
  isPaused,
  isUrgent,
  policy: current,
  pinned,
  freezes,
  nowMs,
}: CalendarRow): string[] {
  if (isHeld) return [`a person's answer: rekey rotation show ${openRotation ?? ""}`];
  if (isPaused) return [`somebody has paused it: rekey rotation resume ${openRotation ?? ""}`];
  if (isUrgent) return [];
  const restrictions = restrictionsOf({ pinned: pinned ?? {}, current, freezes });
  if (neverMeet(restrictions.windows, nowMs)) return [sayNever(openRotation ?? "")];
  return obstaclesAt(restrictions, nowMs).map((one) => `${sayObstacle(one)}; until then nothing that consumers feel`);
}

function whyNot(row: CalendarRow, state: "due" | "upcoming"): string[] {
  const { credential, failures, failedCode, refusedCode, notBeforeMs, nowMs, dueMs, beginsMs, full } = row;
  const { windows, pause } = effectivePolicy(row.policy);
  const given = windows === undefined ? [] : [windows];
  // What forbids to begin from when it is due until it begins: after a freeze its window may be closed again.
  const why = obstaclesFrom({ windows: given, freezes: row.freezes, pause }, Math.max(dueMs, nowMs)).map(sayObstacle);
  if (failures >= mostFailures)
    why.push(
      `${failures} rotations in a row failed for one reason (${titleOf(failedCode)}), so that a person has to begin: rekey rotate ${credential}`,
    );
  else if (notBeforeMs !== null && notBeforeMs > nowMs)
    why.push(`it is tried again ${sayTime(notBeforeMs)}, after: ${titleOf(refusedCode ?? failedCode)}`);
  if (beginsMs === null) why.push("its windows, freezes and pause leave no time within 400 days");
  if (state === "due" && full.length > 0) why.push(`as many are open as may be at once: ${full.join(", ")}`);
  if (state === "due" && why.length === 0) why.push("the next sweep; if none comes: rekey status");
  return why;
}

const titleOf = (code: CalendarRow["failedCode"]): string => (code === null ? "it failed" : (codes[code] ?? code));
