import { emergencySaid } from "./emergency-sections.ts";
import { sectionsOf } from "./report-sections.ts";
import type { Section, Shown } from "./section.ts";
import { timeText, whoIs } from "./said.ts";
import type { ReceiptBody } from "./shape.ts";

/** What the page, the text and the few lines of the check say: one wording for all of them. */
export interface Report {
  readonly headline: string;
  readonly isProven: boolean;
  /** Sentences: what follows from the outcome, and what to mind. */
  readonly summary: readonly string[];
  readonly facts: readonly { readonly label: string; readonly shown: readonly Shown[] }[];
  readonly sections: readonly Section[];
}

const words = (text: string): Shown => ({ text, at: undefined });

export function reportOf(receipt: ReceiptBody): Report {
  return {
    ...headlineOf(receipt),
    summary: summaryOf(receipt),
    facts: factsOf(receipt),
    sections: sectionsOf(receipt),
  };
}

const isDead = ({ deaths }: ReceiptBody, number: number | undefined): boolean =>
  deaths.some(({ version }) => version === number);

/** Only what was seen refused is called dead. */
function headlineOf(receipt: ReceiptBody): Pick<Report, "headline" | "isProven"> {
  const { outcome, from, direction } = receipt.rotation;
  if (outcome === "proven" && isDead(receipt, from?.number)) return { headline: "PROVEN DEAD", isProven: true };
  if (outcome === "undone") return { headline: "UNDONE", isProven: false };
  if (outcome === "failed-before-effect") return { headline: "FAILED BEFORE ANY EFFECT", isProven: false };
  return { headline: direction === "undo" ? "UNDONE, AND NOT PROVEN DEAD" : "NOT PROVEN DEAD", isProven: false };
}

function summaryOf(receipt: ReceiptBody): readonly string[] {
  const { verdicts, holds, emergency } = receipt;
  const all = verdicts.flatMap(({ accepted }) => accepted);
  // What an emergency does not wait for nobody has accepted.
  const isOverridden = ({ by }: (typeof all)[number]): boolean => by === null && emergency !== undefined;
  const overridden = gapsSaid(all.filter(isOverridden));
  const accepted = gapsSaid(all.filter((gap) => !isOverridden(gap)));
  const isAnswered = holds.some(({ decision }) => decision === "accept");
  return [
    endSaid(receipt),
    ...emergencySaid(receipt),
    ...(overridden === undefined
      ? []
      : [
          `It went on although ${overridden} open, since the emergency waited for nobody: see the verdicts of its guard.`,
        ]),
    ...(accepted === undefined
      ? []
      : [`It went on although ${accepted} open, which a person accepted: see the verdicts of its guard.`]),
    ...(accepted === undefined && isAnswered ? ["It went on by what a person accepted: see its holds."] : []),
  ];
}

/** Undefined of none. */
function gapsSaid(gaps: readonly { readonly key: string }[]): string | undefined {
  const count = new Set(gaps.map(({ key }) => key)).size;
  if (count === 0) return undefined;
  return count === 1 ? "a gap was" : `${count} gaps were`;
}

function endSaid(receipt: ReceiptBody): string {
  const { outcome, from, to, direction } = receipt.rotation;
  const of = `of ${receipt.credential.name}`;
  const old = from === null ? "what was there before" : `version ${from.number}`;
  if (outcome === "failed-before-effect") return `Nothing was changed: ${old} ${of} stayed in force.`;
  if (direction === "undo")
    return `The rotation was taken back: ${old} ${of} was left in force, or put back. ${candidateSaid(receipt)}`;
  if (outcome !== "proven")
    return `The rotation was closed without proof that ${old} ${of} is dead: it may still open what it opened. Version ${to.number} is in its place.`;
  return isDead(receipt, from?.number)
    ? `Version ${from?.number ?? ""} ${of} was seen refused by its issuer, under controls. Version ${to.number} is in its place.`
    : `Version ${to.number} ${of} is in place of ${old}. No refusal of ${old} is on record.`;
}

function candidateSaid(receipt: ReceiptBody): string {
  const { outcome, to } = receipt.rotation;
  const which = `Version ${to.number}, which was to replace it,`;
  if (isDead(receipt, to.number)) return `${which} was seen refused by the issuer.`;
  if (outcome === "closed-unproven") return `${which} was ended, and closed without proof that it is dead.`;
  return to.handle === null ? `${which} was never made.` : `${which} was made, and no refusal of it is on record.`;
}

function factsOf(receipt: ReceiptBody): Report["facts"] {
  const { instance, issuedAt, credential, issuer, rotation } = receipt;
  const { from, to } = rotation;
  const fact = (label: string, ...shown: readonly Shown[]) => ({ label, shown });
  const at = (text: string, pointer: string): Shown => ({ text, at: pointer });
  return [
    fact(
      "Credential",
      at(credential.name, "/credential/name"),
      words(" in "),
      at(credential.environment, "/credential/environment"),
    ),
    fact("Issuer", at(issuer.kind, "/issuer/kind"), words(" over "), at(issuer.connection, "/issuer/connection")),
    fact("Issuer's identity", at(issuer.identity ?? "not recorded", "/issuer/identity")),
    fact(
      "Old version",
      ...(from === null
        ? [words("none")]
        : [
            at(String(from.number), "/rotation/from/number"),
            words(", "),
            at(from.handle ?? "without a handle", "/rotation/from/handle"),
          ]),
    ),
    fact(
      "New version",
      at(String(to.number), "/rotation/to/number"),
      words(", "),
      at(to.handle ?? "never made", "/rotation/to/handle"),
    ),
    fact(
      "Asked for by",
      at(whoIs(receipt, rotation.requestedBy), "/rotation/requestedBy"),
      words(", because: "),
      at(rotation.reason === "" ? "no reason given" : rotation.reason, "/rotation/reason"),
    ),
    fact(
      "Reserved, closed",
      at(timeText(rotation.reservedAt), "/rotation/reservedAt"),
      words(" to "),
      at(timeText(rotation.closedAt), "/rotation/closedAt"),
    ),
    fact("Outcome", at(rotation.outcome, "/rotation/outcome")),
    fact("Order", at(rotation.order, "/rotation/order")),
    fact("Rotation", at(rotation.id, "/rotation/id")),
    fact("Credential's id", at(credential.id, "/credential/id")),
    fact("Installation of rekey", at(instance, "/instance")),
    fact("This receipt made", at(timeText(issuedAt), "/issuedAt")),
  ];
}
