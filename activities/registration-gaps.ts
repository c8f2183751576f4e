import type { Gap } from "../domain/guard.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";

type Registrations = Pick<RotationCase, "pinned" | "consumers" | "suspects">;

/** Removing or changing a consumer while the rotation runs must not open the guard by itself. */
export const registrationGaps = (one: Registrations): readonly Gap[] => [...changedGaps(one), ...removedGaps(one)];

/** While nothing is delivered, a person's `retry` pins what was changed anew. */
export function changedGaps({ pinned, consumers }: Registrations): readonly Gap[] {
  return consumers.flatMap(({ consumerId, name, revision }): Gap[] => {
    const begun = pinned.consumers[consumerId];
    if (begun === undefined || begun === revision) return [];
    const text = `Consumer ${name} was changed while the rotation ran.`;
    // What was accepted of one change says nothing of the next.
    return [{ code: "registration_changed", key: `registration_changed:${consumerId}:${revision}`, text, consumerId }];
  });
}

function removedGaps({ pinned, consumers, suspects }: Registrations): readonly Gap[] {
  const present = new Set([...consumers, ...suspects].map(({ consumerId }) => consumerId));
  return Object.keys(pinned.consumers)
    .filter((consumerId) => !present.has(consumerId))
    .map((consumerId) => ({
      code: "registration_changed",
      key: `registration_changed:${consumerId}`,
      text: `Consumer ${consumerId} was removed while the rotation ran, so nobody asks it any more.`,
      consumerId,
    }));
}
