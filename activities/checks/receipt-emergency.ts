import { OperatorNeededError } from "../../domain/errors.ts";
import type { EmergencyFacts } from "../../ledger/receipt-emergencies.ts";
import type { SealedRow } from "../../ledger/sealed-rows.ts";
import type { ReceiptBody } from "../../receipt/shape.ts";

type Said = NonNullable<ReceiptBody["emergency"]>;
type SealedIn = ReceiptBody["audit"]["rows"][number];

const secondsBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1_000;
const textOr = (value: unknown): string | null => (typeof value === "string" ? value : null);

/**
 * What emergencies did to a rotation; undefined where none had a say. What was declared, what was overridden and when a
 * version was proven dead is taken from sealed rows; `trail` has those of the rotation, `sealed` refuses what is not one.
 */
export function emergencyOf(
  { declarations, rows, broken }: EmergencyFacts,
  trail: readonly SealedRow[],
  sealed: (row: SealedRow) => SealedIn,
): Said | undefined {
  const deaths = rows.filter(({ action }) => action === "version.proven-dead");
  const said = declarations.map((one): Said["declarations"][number] => {
    const declared = rows.find(
      ({ action, details }) => action !== "version.proven-dead" && details["emergency"] === one.id,
    );
    if (declared === undefined)
      throw new OperatorNeededError("trail_unfit", `That emergency ${one.id} was declared is not in the trail.`);
    const { at, actor, details } = declared;
    return {
      ...{ id: one.id, by: actor, at, reason: String(details["reason"]) },
      way: details["contain"] === true ? "contain" : "continuity",
      contained: one.contain,
      ...{ deadline: one.deadline, atDeadline: one.atDeadline, outcome: one.outcome, closedAt: one.closedAt },
      carriedBy: one.rotationId,
      versions: one.versions.map((number) => {
        const death = deaths.find((row) => row.details["version"] === number);
        if (death === undefined) return { number, provenAt: null, seconds: null };
        return { number, provenAt: sealed(death).at, seconds: secondsBetween(at, death.at) };
      }),
      suspects: one.suspects.map(({ ref: consumer, ...rest }) => ({ consumer, ...rest })),
      row: sealed(declared),
    };
  });
  if (said.length === 0) return undefined;
  return {
    declarations: said,
    overridden: trail.flatMap(({ action, actor: by, at, details: { what, why, until } }) =>
      action === "emergency.overrode" ? [{ what: String(what), why: textOr(why), until: textOr(until), by, at }] : [],
    ),
    broken: broken.map(({ ref: consumer, from, until }) => ({
      ...{ consumer, from, until },
      seconds: until === null ? null : secondsBetween(from, until),
    })),
  };
}
