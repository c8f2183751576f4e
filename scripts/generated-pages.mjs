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

/** A page with one of its parts written anew; all else stays. */
function withPart(text, { name, source, path }, written) {
  const begin = `<!-- ${name}: generated from ${source} by \`npm run generate\` -->`;
  const end = `<!-- end of the ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${path} has lost its marks '${begin}' and '${end}'.`);
  return `${text.slice(0, from)}${begin}\n\n${written}\n\n${text.slice(to)}`;
}

export async function importTablePart(text) {
  const { importTable } = await import("../test/architecture/import-table.ts");
  const rows = importTable.map(({ place, holds, imports, typesOf = [], packages, isClosed }) => {
    const places = [...imports, ...typesOf.map((one) => `types of ${one}`), ...packages];
    const list = places.map((one) => (one === "*" ? "anything" : one === "node:" ? "Node's own" : one));
    const all = [...new Set(list)].join(", ");
    return [`\`${place}\``, holds, isClosed ? (all === "" ? "nothing" : `only ${all}`) : all === "" ? "-" : all];
  });
  const part = { name: "import table", source: "test/architecture/import-table.ts", path: "ARCHITECTURE.md" };
  return withPart(text, part, table(["place", "holds", "may import, besides itself"], rows));
}

export async function accessTablePart(text) {
  const { roles } = await import("../domain/role.ts");
  const { access } = await import("../api/access-table.ts");
  const { routes } = await import("../api/route-table.ts");
  const names = Object.keys(roles);
  const meanings = Object.entries(roles).map(([role, meaning]) => [`\`${role}\``, meaning]);
  const rows = Object.entries(access).map(([name, allowed]) => [
    `\`${routes[name].method} ${routes[name].path}\``,
    ...names.map((role) => (allowed === "everyone" || allowed.includes(role) ? "yes" : "")),
  ]);
  const written = `${table(["role", "what it is"], meanings)}\n\n${table(["route", ...names], rows)}`;
  return withPart(text, { name: "access table", source: "api/access-table.ts", path: "docs/access.md" }, written);
}

export async function noticeTablePart(text) {
  const { audienceOf, noticeAudiences, noticeEvents } = await import("../domain/notice.ts");
  const rows = Object.entries(noticeEvents).map(([event, when]) => [
    `\`${event}\``,
    when,
    noticeAudiences[audienceOf[event]],
  ]);
  const part = { name: "notice table", source: "domain/notice.ts", path: "docs/notices.md" };
  return withPart(text, part, table(["event", "when", "told to endpoints of"], rows));
}
