import { codes } from "../domain/errors.ts";
import type { EmergencyView } from "../ledger/emergency-views.ts";

/** With the words for what keeps it. */
export function showEmergency({ trouble, ...view }: EmergencyView) {
  return { ...view, trouble: trouble === null ? null : { ...trouble, title: codes[trouble.code] } };
}
