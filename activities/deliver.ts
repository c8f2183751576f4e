import { readAcceptedGaps } from "../ledger/holds.ts";
import { deliverMissing } from "./deliver-to.ts";
import type { StepWork } from "./step-frame.ts";

/** Puts the candidate where each consumer reads it. */
export const deliver: StepWork = async ({ deps, one, context }) => {
  const acceptedGaps = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const { consumers, to: version } = one;
  await deliverMissing(deps, { one, version, step: "deliver", consumers, acceptedGaps }, context);
  return { does: "finish" };
};
