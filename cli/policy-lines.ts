import type { Answer } from "../api/client.ts";
import { printable } from "./table.ts";
import { wrap, wrapAfter } from "./wrap.ts";

type Explained = Answer<"explainPolicy">;
type Field = Explained["fields"][number];

/** As YAML would write it on one line. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .map(([name, part]) => `${name}: ${flow(part)}`)
      .join(", ")} }`;
  return String(value);
}

/** A value that is longer stands on lines of its own. */
const widestValue = 30;

/** What somebody says, a field each with whom that overrules; then, in one paragraph, what nobody says. */
export function policyLines({ credential, fields, trouble }: Explained, width?: number): readonly string[] {
  const said = fields.filter(({ from }) => from !== "default");
  const unsaid = fields.filter(({ from }) => from === "default");
  const names = Math.max(0, ...said.map(({ field }) => field.length));
  const values = Math.max(0, ...said.map(({ value }) => flow(value).length).filter((length) => length <= widestValue));
  return [
    `What rules ${printable(credential)}`,
    ...(said.length === 0
      ? ["  Nobody says anything of it."]
      : said.flatMap((one) => fieldLines(one, names, values, width))),
    ...wrapAfter(
      "  By default: ",
      unsaid.map(({ field, value }) => `${field} ${flow(value)}`).join(", "),
      " ".repeat(14),
      width,
    ),
    ...(trouble === null ? [] : ["", ...wrap(printable(`It can never run: ${trouble}.`), "", width)]),
    "",
    `When that makes it due: rekey calendar --credential ${printable(credential)} --days 400`,
  ];
}

function fieldLines({ field, value, from, overruled }: Field, names: number, values: number, width?: number) {
  const indent = " ".repeat(names + 4);
  const lead = `  ${field.padEnd(names)}  `;
  const text = printable(flow(value));
  const others = overruled.map((one) => `${printable(flow(one.value))} (${one.from})`).join(", ");
  return [
    ...(text.length <= widestValue
      ? [`${lead}${text.padEnd(values)}  ${from}`]
      : [...wrapPairs(lead, text, indent, width), `${indent}${" ".repeat(values)}  ${from}`]),
    ...(others === "" ? [] : wrapPairs(`${indent}  instead of `, others, " ".repeat(indent.length + 13), width)),
  ];
}

/** What joins a name and its value where a line may end; `printable` leaves none in a text. */
const joiner = "\u2060";

/** No line ends between a name and its value. */
function wrapPairs(lead: string, text: string, indent: string, width?: number): readonly string[] {
  return wrapAfter(lead, text.replaceAll(": ", `:${joiner}`), indent, width).map((line) =>
    line.replaceAll(joiner, " "),
  );
}
