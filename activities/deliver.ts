import { readAcceptedGaps } from "../ledger/holds.ts";
import { unknownFormerGaps } from "./unknown-former.ts";
import { deliverMissing } from "./deliver-to.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import type { StepWork } from "./step-frame.ts";

/** Puts the candidate where each consumer reads it. */
export const deliver: StepWork = async ({ deps, one, context }) => {
  const acceptedGaps = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const { consumers, to: version } = one;
  const gaps = unknownFormerGaps(one, "deliver").filter(({ key }) => !acceptedGaps.includes(key));
  if (gaps.length > 0) return waitOrHold({ one }, gaps, Number.POSITIVE_INFINITY);
  await deliverMissing(deps, { one, version, step: "deliver", consumers, acceptedGaps }, context);
  return { does: "finish" };
};
