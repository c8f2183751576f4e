import type { MatrixCase } from "./matrix-cases.ts";
import { shortEmergencies, type EmergencyCase } from "./matrix-emergencies.ts";
import type { LossCase } from "./matrix-losses.ts";

/** What an issuer that mints has of its own: the rest is the same code over the same ledger as at the first issuer. */
const atTheIssuer: readonly string[] = [
  "issue",
  "keep",
  "disable",
  "revoke",
  "undo-enable",
  "undo-abandon",
  "undo-prove-refused",
  "undo-forget",
];

/** Where a place of custody is given a value, or has to forget one; what else it does is to show one. */
const inThePlace: readonly string[] = ["keep", "choose", "stage", "close", "undo-forget", "undo-unstage"];

/** What runs each time: of further issuers and places of custody only what they do themselves, of emergencies a choice. */
export function isShort(one: MatrixCase | LossCase | EmergencyCase): boolean {
  const { issuer, custody, step, name } = one;
  if ("emergency" in one) return shortEmergencies.has(name);
  if ("loses" in one) return true;
  if (custody !== "embedded") return inThePlace.includes(step) && (issuer !== "postgres" || one.point === "B2");
  return issuer === "postgres" || atTheIssuer.includes(step);
}
