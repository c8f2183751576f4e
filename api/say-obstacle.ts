import type { Obstacle } from "../calendar/allowed.ts";

/** What keeps consumers from feeling anything now, and until when. One clause, without a full stop. */
export function sayObstacle(obstacle: Obstacle): string {
  const until = new Date(obstacle.untilMs).toISOString();
  switch (obstacle.kind) {
    case "window":
      return `its window (${obstacle.timeZone}) opens ${until}`;
    case "freeze":
      return `a freeze lasts until ${until}: ${obstacle.reason}`;
    case "pause":
      return `its policy pauses it until ${until}: ${obstacle.reason}`;
  }
}
