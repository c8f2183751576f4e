import { OperatorNeededError } from "../domain/errors.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { expectedContent, openConsumer } from "./deliver-to.ts";
import { withIssuer } from "./reach.ts";
import type { StepWork } from "./step-frame.ts";

/** Looks at everything that would stop the rotation later: reach, rights, room, names, targets. Changes nothing. */
export const preflight: StepWork = async ({ deps, one, context }) => {
  const findings = await withIssuer(deps, one, context, async (session) =>
    session.preflight({ live: one.keep, instance: one.instance, credential: one.credentialId }),
  );
  const [first, ...others] = findings;
  if (first !== undefined) {
    const text = [first, ...others].map(({ detail, mend }) => (mend === undefined ? detail : `${detail}\n${mend}`));
    throw new OperatorNeededError(first.code, text.join("\n"));
  }
  const accepted = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  for (const consumer of one.consumers) {
    const session = await openConsumer(deps, consumer, context);
    const [finding] = (await session.preflight()).filter(({ code }) => !accepted.includes(code));
    if (finding !== undefined)
      throw new OperatorNeededError(finding.code, `Consumer ${consumer.name}: ${finding.detail}`);
    await expectedContent(deps, one, consumer, session);
  }
  return { does: "finish", stays: true };
};
