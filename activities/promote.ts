import type { StepWork } from "./step-frame.ts";

/** The candidate is the credential's current version from now on. Only the ledger changes. */
export const promote: StepWork = async ({ one }) => ({
  does: "finish",
  current: { credentialId: one.credentialId, version: one.to.number },
});
