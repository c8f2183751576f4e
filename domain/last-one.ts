import type { Gap } from "./guard.ts";

/** The one consumer that keeps a rotation while all others have adopted; undefined when there is no such one. */
export function lastOneOf(gaps: readonly Pick<Gap, "consumerId">[], consumers: number): string | undefined {
  const [first, ...others] = [...new Set(gaps.map(({ consumerId }) => consumerId))];
  // A credential's only consumer is not the last of any.
  return consumers > 1 && others.length === 0 ? first : undefined;
}
