// What stands in each generated page. Sources are imported as they are: Node 24 runs them unbuilt.

const escaped = (cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ");

/** A Markdown table, padded as the formatter pads it, so that a page which is formatted stays as written. */
function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(escaped));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  const [first, ...rest] = cells;
  return [line(first), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n");
}

const page = (source, title, ...parts) =>
  `${[`<!-- Generated from ${source} by \`npm run generate\`; edit that instead. -->`, `# ${title}`, ...parts].join("\n\n")}\n`;

export async function settings() {
  const { describeSettings } = await import("../settings.ts");
  return page(
    "settings.ts",
    "Settings",
    "Everything that rekey reads of its environment. An empty variable counts as absent, an unknown one that begins with `REKEY_` is refused. A setting that holds a secret is best given by its `_FILE` form: a path to a file that only its owner can read.",
    table(
      ["variable", "without it", "meaning"],
      describeSettings().map(({ name, whenAbsent, meaning }) => [`\`${name}\``, whenAbsent, meaning]),
    ),
  );
}

export async function errorCodes() {
  const { codes } = await import("../domain/errors.ts");
  const { advice } = await import("../domain/error-advice.ts");
  return page(
    "domain/errors.ts and domain/error-advice.ts",
    "Error codes",
    "Each failure and each hold has one of these codes. The title is fixed text and may be seen anywhere; the details, which name what was found, are in `rekey rotation show`.",
    table(
      ["code", "title", "what to do"],
      Object.entries(codes).map(([code, title]) => [`\`${code}\``, title, advice[code]]),
    ),
  );
}

const seconds = (ms) => (ms === 0 ? "none" : `${ms / 1000} s`);

function issuerFacts({ kind, title, facts }) {
  const slots = Object.entries(facts.slots).map(([order, count]) => `${order} (${count})`);
  return [
    `\`${kind}\``,
    title,
    facts.chooser === "rekey" ? "rekey" : "the issuer",
    slots.join(", "),
    seconds(facts.activationLagMs),
    seconds(facts.deactivationLagMs),
    `${facts.usage.covers}, per ${facts.usage.grain}`,
    facts.lateCallsRefusedBy,
  ];
}

export async function providers() {
  const { catalog } = await import("../providers/catalog.ts");
  return page(
    "providers/catalog.ts",
    "Providers",
    "What rekey can rotate, deliver to and learn from. A new one is a folder and one line: see [writing a provider](writing-a-provider.md).",
    "## Issuers",
    table(
      [
        "kind",
        "title",
        "value chosen by",
        "orders (live versions)",
        "activation lag",
        "deactivation lag",
        "usage",
        "late calls are refused by",
      ],
      Object.values(catalog.issuers).map(issuerFacts),
    ),
    "## Consumers",
    table(
      ["kind", "title"],
      Object.values(catalog.consumers).map(({ kind, title }) => [`\`${kind}\``, title]),
    ),
    "## Evidence",
    table(
      ["kind", "title", "strength", "needs a change to the application"],
      Object.values(catalog.collectors).map(({ kind, title, strength, needsChange }) => [
        `\`${kind}\``,
        title,
        strength,
        needsChange ? "yes" : "no",
      ]),
    ),
  );
}

export async function manifestSchema() {
  const { catalog } = await import("../providers/catalog.ts");
  const { manifestJsonSchema } = await import("../manifests/json-schema.ts");
  return `${JSON.stringify(manifestJsonSchema(catalog), null, 2)}\n`;
}

const begin = "<!-- import table: generated from test/architecture/import-table.ts by `npm run generate` -->";
const end = "<!-- end of the import table -->";

/** ARCHITECTURE.md with its import table written anew; all else stays. */
export async function importTablePart(text) {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`ARCHITECTURE.md has lost its marks '${begin}' and '${end}'.`);
  const { importTable } = await import("../test/architecture/import-table.ts");
  const rows = importTable.map(({ place, holds, imports, typesOf = [], packages, isClosed }) => {
    const places = [...imports, ...typesOf.map((one) => `types of ${one}`), ...packages];
    const list = places.map((one) => (one === "*" ? "anything" : one === "node:" ? "Node's own" : one));
    const all = [...new Set(list)].join(", ");
    return [`\`${place}\``, holds, isClosed ? (all === "" ? "nothing" : `only ${all}`) : all === "" ? "-" : all];
  });
  const written = table(["place", "holds", "may import, besides itself"], rows);
  return `${text.slice(0, from)}${begin}\n\n${written}\n\n${text.slice(to)}`;
}
