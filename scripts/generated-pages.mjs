// What stands in each generated page. Sources are imported as they are: Node 24 runs them unbuilt.

import { page, table } from "./page-table.mjs";

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
    "Errors",
    "Each failure and each hold has one of these codes. The title is fixed text and may be seen anywhere; the details, which name what was found, are in `rekey rotation show`.",
    table(
      ["code", "title", "what to do"],
      Object.entries(codes).map(([code, title]) => [`\`${code}\``, title, advice[code]]),
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
