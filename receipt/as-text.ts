import { reportOf } from "./report.ts";
import type { Section } from "./section.ts";
import { visible } from "./said.ts";
import type { ReceiptBody, SignedReceipt } from "./shape.ts";

type Cells = readonly { readonly text: string }[];
const joined = (cells: Cells): string => cells.map(({ text }) => text).join("");

/** Labels under each other, and what belongs to them. */
function pairs(list: readonly (readonly [label: string, text: string])[], indent: string): readonly string[] {
  const width = Math.max(0, ...list.map(([label]) => label.length));
  const further = `\n${indent}${" ".repeat(width + 2)}`;
  return list.map(([label, text]) =>
    `${indent}${label.padEnd(width)}  ${visible(text).replaceAll("\n", further)}`.trimEnd(),
  );
}

const widest = 150;

/** Rows under their columns; where these would be too wide, each row as a block of its own. */
function rowLines({ columns, rows, empty }: Section): readonly string[] {
  if (rows.length === 0) return [`  ${empty}`];
  const cells = [columns, ...rows.map((row) => row.map(({ text }) => text))];
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const isNarrow = widths.reduce((sum, width) => sum + width + 2, 0) <= widest;
  if (isNarrow && !cells.flat().some((text) => text.includes("\n")))
    return cells.map((row) => `  ${row.map((text, at) => visible(text).padEnd(widths[at] ?? 0)).join("  ")}`.trimEnd());
  return rows.flatMap((row, place) => [
    ...(place === 0 ? [] : [""]),
    ...pairs(
      columns.map((column, at): [string, string] => [column, row[at]?.text ?? ""]).filter(([, text]) => text !== ""),
      "  ",
    ),
  ]);
}

const noteLines = ({ note, rows }: Section): readonly string[] =>
  note === undefined || rows.length === 0 ? [] : [`  ${note}`];

/** The whole receipt as lines for a terminal or a letter. It proves nothing by itself: the document does. */
export function receiptAsText({ receipt, digests, signature }: SignedReceipt): string {
  const { headline, summary, facts, sections } = reportOf(receipt);
  const end: readonly [string, string][] = [
    ["Signed by key", signature.keyId],
    ["Digest of all of it", digests[""] ?? ""],
  ];
  const lines = [
    visible(`${headline}: ${receipt.credential.name}, rotation ${receipt.rotation.id}`),
    "",
    ...summary.map(visible),
    "",
    ...pairs(
      facts.map(({ label, shown }) => [label, joined(shown)]),
      "",
    ),
    ...sections.flatMap((section) => ["", section.title, ...noteLines(section), ...rowLines(section)]),
    "",
    ...pairs(end, ""),
  ];
  return `${lines.join("\n")}\n`;
}

/** What a receipt says, in a few lines: for who has just checked it. */
export function receiptInShort(receipt: ReceiptBody): readonly string[] {
  const { headline, summary, facts } = reportOf(receipt);
  const wanted = [
    "Credential",
    "Issuer's identity",
    "Old version",
    "New version",
    "Asked for by",
    "Reserved, closed",
    "Rotation",
  ];
  const shown = facts.filter(({ label }) => wanted.includes(label));
  const deaths = receipt.deaths.map(({ version, code, controls, inRow }): [string, string] => [
    "Seen refused",
    `version ${version}: the issuer answered ${code}${inRow === null || inRow === 1 ? "" : `, ${inRow} times in a row`} (${controls})`,
  ]);
  return [
    headline,
    ...summary.map((text) => `  ${visible(text)}`),
    ...pairs([...shown.map(({ label, shown: cells }): [string, string] => [label, joined(cells)]), ...deaths], "  "),
  ];
}
