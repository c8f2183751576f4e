import { printable } from "./table.ts";

/** Lines longer than this are hard to read, however wide the terminal is. */
const widest = 110;
const narrowest = 40;

/** How wide a line may be: the terminal's width, within bounds. */
const lineWidth = (columns = process.stdout.columns as number | undefined): number =>
  Math.max(narrowest, Math.min((columns ?? widest + 1) - 1, widest));

/** A text in lines of that width, each with the indent. */
export function wrap(text: string, indent: string, width = lineWidth()): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(indent + line);
  return lines;
}

/** The same, with a lead in front of the first line, in the place of its indent. */
export function wrapAfter(lead: string, text: string, indent: string, width = lineWidth()): readonly string[] {
  const [first = "", ...rest] = wrap(text, indent, width);
  return [lead.padEnd(indent.length) + first.slice(indent.length), ...rest];
}

/** The same for a text from outside. What follows its first line is to be pasted, and stays as it stands. */
export function wrapPasted(lead: string, text: string, indent: string): readonly string[] {
  const [first = "", ...pasted] = text.split("\n");
  return [...wrapAfter(lead, printable(first), indent), ...pasted.map((line) => `${indent}${printable(line)}`)];
}
