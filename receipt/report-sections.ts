import { emergencySections } from "./emergency-sections.ts";
import { timeText, whoIs } from "./said.ts";
import { or, rowsOf, type Section, type Shown } from "./section.ts";
import type { ReceiptBody } from "./shape.ts";

const gapTexts = (gaps: readonly { readonly text: string }[]): string => gaps.map(({ text }) => text).join("\n");

/** What follows a verdict, in words. */
const purposes: Readonly<Record<string, string>> = {
  drain: "disabling the old version",
  revoke: "ending the old version",
  abandon: "ending the candidate",
};

/** Everything that happened, in the order in which an auditor asks for it. A new part of the receipt is one more entry here. */
export function sectionsOf(receipt: ReceiptBody): readonly Section[] {
  const { deaths, effects, commands, phases, consumers, verdicts, holds, actors, audit } = receipt;
  return [
    ...emergencySections(receipt),
    {
      title: "Proof of death",
      note: "A refusal counts only with its controls: in the same round, on the same path, the version that is in force was accepted, so that the question was put to the right place.",
      empty: "None is on record.",
      columns: ["Version", "Seen refused at", "Issuer's answer", "Times in a row", "Controls asked in the same round"],
      rows: rowsOf(deaths, "/deaths", (one) => [
        ["version", String(one.version)],
        ["at", timeText(one.at)],
        ["code", one.code],
        ["inRow", one.inRow === null ? "not recorded" : String(one.inRow)],
        ["controls", or(one.controls, "none")],
      ]),
    },
    {
      title: "What was done at the issuer",
      empty: "Nothing.",
      columns: ["Step", "At"],
      rows: rowsOf(effects, "/effects", (one) => [
        ["step", one.step],
        ["at", timeText(one.at)],
      ]),
    },
    {
      title: "Phases",
      empty: "None.",
      columns: ["Phase", "Reached at"],
      rows: rowsOf(phases, "/phases", (one) => [
        ["phase", one.phase],
        ["at", timeText(one.at)],
      ]),
    },
    {
      title: "Deliveries",
      empty: "Nothing was delivered.",
      columns: ["Consumer", "Target", "Version", "Delivered at"],
      rows: consumers.flatMap((consumer, place) =>
        rowsOf(consumer.deliveries, `/consumers/${place}/deliveries`, (one) => [
          ["version", String(one.version)],
          ["at", timeText(one.at)],
        ]).map((row) => [...whoseOf(consumer, place), ...row]),
      ),
    },
    {
      title: "Evidence",
      note: "The latest of each kind. attested: the running process answered a challenge with the key. observed: the platform or the issuer showed every instance on the version. acknowledged: somebody said so. delivered: it was written, and no more is known.",
      empty: "None was collected.",
      columns: ["Consumer", "Version", "Strength", "Collected by", "Instances", "Complete", "At"],
      rows: consumers.flatMap((consumer, place) =>
        rowsOf(consumer.evidence, `/consumers/${place}/evidence`, (one) => [
          ["version", String(one.version)],
          ["strength", one.strength],
          ["source", one.source],
          ["instances", String(one.instances)],
          ["complete", one.complete ? "yes" : `no: ${or(one.lacks.join(" "), "it was not said what lacks")}`],
          ["at", timeText(one.at)],
        ]).map((row) => [...whoseOf(consumer, place).slice(0, 1), ...row]),
      ),
    },
    {
      title: "Verdicts of the guard",
      empty: "The rotation did not come so far that one was given.",
      columns: ["Asked before", "Verdict", "At", "In the way", "Accepted, by whom and why"],
      rows: rowsOf(verdicts, "/verdicts", (one) => [
        ["purpose", purposes[one.purpose] ?? one.purpose],
        ["clear", one.clear ? "clear" : "not clear"],
        ["at", timeText(one.at)],
        ["standing", or(gapTexts(one.standing), "nothing")],
        ["accepted", or(one.accepted.map((gap) => `${gap.text} ${acceptedSaid(receipt, gap)}.`).join("\n"), "nothing")],
      ]),
    },
    {
      title: "Holds, in which a person was asked",
      empty: "Nobody was asked.",
      columns: ["No.", "In phase", "Why", "What was found", "Opened at", "Answer", "By", "Because", "Answered at"],
      rows: rowsOf(holds, "/holds", (one) => [
        ["number", String(one.number)],
        ["phase", one.phase],
        ["code", one.code],
        [
          "detail",
          or(
            [one.detail, ...one.gaps.flatMap(({ text }) => (one.detail.includes(text) ? [] : text))].join("\n").trim(),
            "",
          ),
        ],
        ["openedAt", timeText(one.openedAt)],
        ["decision", or(one.decision, "none")],
        ["decidedBy", one.decidedBy === null ? "" : whoIs(receipt, one.decidedBy)],
        ["reason", or(one.reason, "")],
        ["decidedAt", one.decidedAt === null ? "" : timeText(one.decidedAt)],
      ]),
    },
    {
      title: "Commands that people gave",
      empty: "None.",
      columns: ["Command", "By", "At", "State"],
      rows: rowsOf(commands, "/commands", (one) => [
        ["kind", one.kind],
        ["by", whoIs(receipt, one.by)],
        ["at", timeText(one.at)],
        ["state", one.state === "consumed" ? "heard" : one.state],
      ]),
    },
    {
      title: "Who is who",
      empty: "Nobody but rekey itself acted.",
      columns: ["Token", "Role", "Whose"],
      rows: rowsOf(actors, "/actors", (one) => [
        ["id", one.id],
        ["role", one.role],
        ["description", or(one.description, "not said")],
      ]),
    },
    {
      title: "Its rows in the sealed audit trail",
      note: "Each seal is a hash over its row and the seal before it. Whoever may ask the rekey that made this finds the same rows with rekey audit list, and rekey audit verify checks their seals.",
      empty: "None.",
      columns: ["Row", "Position", "At", "Action", "Seal (SHA-256)"],
      rows: rowsOf(audit.rows, "/audit/rows", (one) => [
        ["id", String(one.id)],
        ["position", String(one.position)],
        ["at", timeText(one.at)],
        ["action", one.action],
        ["hash", one.hash],
      ]),
    },
    headSection(receipt),
  ];
}

/** Of a gap without anybody's answer: what an emergency asks for waits for nobody. */
function acceptedSaid(
  receipt: ReceiptBody,
  { by, reason }: ReceiptBody["verdicts"][number]["accepted"][number],
): string {
  if (by === null && receipt.emergency !== undefined) return "Not waited for, by the emergency";
  return `Accepted by ${by === null ? "nobody on record" : whoIs(receipt, by)}: ${or(reason, "no reason given")}`;
}

function whoseOf({ name, target }: ReceiptBody["consumers"][number], place: number): readonly Shown[] {
  return [
    { text: name, at: `/consumers/${place}/name` },
    { text: target, at: `/consumers/${place}/target` },
  ];
}

function headSection({ audit: { head } }: ReceiptBody): Section {
  return {
    title: "The signed head that covers these rows",
    empty: "None was signed yet when this receipt was made; one made a minute later has it.",
    columns: ["Position", "Signed at", "By key", "Hash"],
    rows: rowsOf(head === null ? [] : [head], "/audit", (one) => [
      ["head/position", String(one.position)],
      ["head/sealedAt", timeText(one.sealedAt)],
      ["head/keyId", one.keyId],
      ["head/hash", one.hash],
    ]).map((row) => row.map((cell) => ({ ...cell, at: cell.at?.replace("/audit/0/", "/audit/") }))),
  };
}
