// Parts that generated pages are made of.

const escaped = (cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ");

/** A Markdown table, padded as the formatter pads it, so that a page which is formatted stays as written. */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(escaped));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  const [first, ...rest] = cells;
  return [line(first), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n");
}

export const page = (source, title, ...parts) =>
  `${[`<!-- Generated from ${source} by \`npm run generate\`; edit that instead. -->`, `# ${title}`, ...parts].join("\n\n")}\n`;
