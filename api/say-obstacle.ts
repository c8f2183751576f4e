import type { Obstacle } from "../calendar/allowed.ts";
import { wallTime } from "../calendar/wall-clock.ts";

/** What keeps consumers from feeling anything now, and until when. One clause, without a full stop. */
export function sayObstacle(obstacle: Obstacle): string {
  const until = sayTime(obstacle.untilMs);
  switch (obstacle.kind) {
    case "window":
      return `its window opens ${until}${inZone(obstacle.untilMs, obstacle.timeZone)}`;
    case "freeze":
      return `a freeze lasts until ${until}: ${obstacle.reason}`;
    case "pause":
      return `its policy pauses it until ${until}: ${obstacle.reason}`;
  }
}

/** Of a rotation whose windows of when it was reserved and of today never meet. One clause, without a full stop. */
export const sayNever = (rotationId: string): string =>
  `its window of when it was reserved and the one of today are never open together, so that it waits for ever: change the policy's windows, or rekey rotation expedite ${rotationId}, or rekey rotation abort ${rotationId}`;

/** `2027-01-07 08:00 UTC`, with seconds where there are some. */
export function sayTime(ms: number): string {
  const [day = "", time = ""] = new Date(ms).toISOString().split("T");
  return `${day} ${time.slice(0, ms % 60_000 === 0 ? 5 : 8)} UTC`;
}

/** What the clocks show there, for whoever wrote the window. */
function inZone(ms: number, timeZone: string): string {
  if (timeZone === "UTC") return "";
  const { minutes } = wallTime(ms, timeZone);
  const two = (number: number): string => String(number).padStart(2, "0");
  return ` (${two(Math.floor(minutes / 60))}:${two(minutes % 60)} in ${timeZone})`;
}
