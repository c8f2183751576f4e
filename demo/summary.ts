import type { LoadCounts } from "./load.ts";
import type { PlayedScene } from "./scene.ts";

/** The one line of `--json`. `counts` are those of the whole demonstration, what lies between the scenes included. */
export function summaryLine(played: readonly PlayedScene[], counts: LoadCounts): string {
  const results = played.map(({ result }) => result);
  const [refusedAfterMs] = results.flatMap((result) => result.refusedAfterMs ?? []);
  return JSON.stringify({
    ordersPlaced: counts.ordersPlaced,
    failedStatements: counts.failedStatements,
    refusedLogins: counts.refusedLogins,
    oldLoginRefusedAfterMs: refusedAfterMs === undefined ? null : Math.round(refusedAfterMs),
    rotations: results.map(({ rotationId, outcome }) => ({ id: rotationId, outcome })),
  });
}
