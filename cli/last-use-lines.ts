import type { Answer } from "../api/client.ts";
import { clock } from "./show-time.ts";
import { table } from "./table.ts";

type Told = Answer<"showRotation">["lastUses"];

const minutes = (ms: number): string => `${Math.ceil(ms / 60_000)} min`;

/** When each version was last used, of an issuer that tells that and not who is on it. */
export function lastUseLines(told: Told, now?: string): readonly string[] {
  const [any] = told;
  if (any === undefined) return [];
  return [
    `Last used, as the issuer tells it: to ${minutes(any.grainMs)}, up to ${minutes(any.lateByMs)} late`,
    ...table(
      told.map(({ version, at, by, toldAt }) => [
        `  version ${version}`,
        at === null ? "never" : clock(at, now),
        at === null || by === null ? "" : `by ${by}`,
        `told at ${clock(toldAt, now)}`,
      ]),
    ),
  ];
}
