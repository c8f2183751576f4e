// A page for each kind of provider, from its definition, with the prose of its own README; and the page that lists them.
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { page, table } from "./page-table.mjs";

const seconds = (ms) => (ms === 0 ? "none" : `${ms / 1000} s`);
const yes = (is) => (is ? "yes" : "no");

/** Path below the root, to what stands there. */
export async function providerPages() {
  const { catalog } = await import("../providers/catalog.ts");
  const pagesOf = (family, kinds, partsOf) =>
    Object.values(kinds).map((one) => {
      const folder = ["providers", family, one.kind].join("/");
      const write = () => page(`${folder}/`, `${one.title}: \`${one.kind}\``, ...partsOf(one), ...prose(folder));
      return [`docs/providers/${one.kind}.md`, write];
    });
  const pages = [
    ...pagesOf("issuers", catalog.issuers, issuerParts),
    ...pagesOf("consumers", catalog.consumers, consumerParts),
    ...pagesOf("evidence", catalog.collectors, evidenceParts),
  ];
  return { "docs/providers/README.md": () => list(catalog), ...Object.fromEntries(pages) };
}

const linked = ({ kind }) => `[\`${kind}\`](${kind}.md)`;

function list({ issuers, consumers, collectors }) {
  return page(
    "providers/catalog.ts",
    "Providers",
    "What rekey can rotate, deliver to and learn from: a page for each kind. A new one is a folder and one line: see [writing a provider](../writing-a-provider.md).",
    "## Issuers",
    "What makes and ends versions.",
    table(
      ["kind", "title", "orders"],
      Object.values(issuers).map((one) => [linked(one), one.title, Object.keys(one.facts.slots).join(", ")]),
    ),
    "## Consumers",
    "Where a version is delivered.",
    table(
      ["kind", "title", "reached over a connection"],
      Object.values(consumers).map((one) => [
        linked(one),
        one.title,
        one.connectionKind === undefined ? "no" : `\`${one.connectionKind.kind}\``,
      ]),
    ),
    "## Evidence",
    "How it is seen that a consumer runs on a version.",
    table(
      ["kind", "title", "strength", "needs a change to the application"],
      Object.values(collectors).map((one) => [linked(one), one.title, one.strength, yes(one.needsChange)]),
    ),
  );
}

function usageText({ covers, grain, grainMs, lateByMs }) {
  if (covers !== "last-used") return `${covers}, per ${grain}`;
  return `when it was last used, per ${grain}: exact to ${minutes(grainMs)}, up to ${minutes(lateByMs)} late`;
}

const minutes = (ms) => `${ms / 60_000} min`;

function issuerParts({ facts, fields, authenticator, adminFields, connectionSchema, configSchema }) {
  const slots = Object.entries(facts.slots).map(([order, count]) => `${order} (${count} at once)`);
  return [
    "## Facts",
    table(
      ["fact", "here"],
      [
        ["value chosen by", facts.chooser === "rekey" ? "rekey" : "the issuer"],
        ["orders, and how many versions live", slots.join(", ")],
        ["a version can be disabled and brought back", yes(facts.canDisable === true)],
        ["a new version is accepted after", facts.activationLagMs === 0 ? "at once" : seconds(facts.activationLagMs)],
        ["an ended one is refused after", facts.deactivationLagMs === 0 ? "at once" : seconds(facts.deactivationLagMs)],
        ["sessions outlive the end of their version", yes(facts.sessionsOutliveRevocation)],
        ["usage that can be asked for", usageText(facts.usage)],
        ["late calls are refused by", facts.lateCallsRefusedBy],
      ],
    ),
    ...connectionParts({ connectionSchema, adminFields }),
    "## Credential: `spec.config`",
    ...configTables(configSchema),
    "## The value",
    "Consumers map their keys to these fields.",
    table(
      ["field", "title", "secret"],
      Object.entries(fields).map(([name, { title, secret }]) => [
        `\`${name}\``,
        name === authenticator ? `${title}, by which it is authenticated` : title,
        yes(secret),
      ]),
    ),
  ];
}

function connectionParts({ connectionSchema, adminFields }, kind) {
  const secrets = Object.entries(adminFields).map(([name, { title }]) => `\`${name}\` (${title})`);
  return [
    kind === undefined ? "## Connection: `spec.config`" : `## Connection of kind \`${kind}\`: \`spec.config\``,
    ...configTables(connectionSchema),
    `Its \`secretFrom\` gives ${secrets.join(", ")}.`,
  ];
}

const consumerParts = ({ configSchema, connectionKind }) => [
  "## Consumer: `spec.config`",
  ...configTables(configSchema),
  ...(connectionKind === undefined ? [] : connectionParts(connectionKind, connectionKind.kind)),
];

const evidenceParts = ({ kind, strength, needsChange, configSchema }) => [
  `It gives **${strength}** evidence and needs ${needsChange ? "a change to" : "no change to"} the application.`,
  `## Consumer: \`spec.evidence.${kind}\``,
  ...configTables(configSchema),
];

/** One table, or one for each form that the fields may have. */
function configTables(schema) {
  const forms = formsOf(schema);
  const head = ["field", "what", "without it", "meaning"];
  const tables = forms.map((form) => table(head, rowsOf(form)));
  return tables.flatMap((text, at) => (at === 0 ? [text] : ["or", text]));
}

function formsOf(schema) {
  const json = schema.toJSONSchema({ target: "draft-7", io: "input", unrepresentable: "any", reused: "inline" });
  return json.anyOf ?? [json];
}

function rowsOf({ properties = {}, required = [] }, before = "") {
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = `${before}${name}`;
    const absent = required.includes(name)
      ? "is refused"
      : "default" in field
        ? `\`${JSON.stringify(field.default)}\``
        : "-";
    const own = [`\`${path}\``, wordsOf(field), absent, field.description ?? ""];
    return field.properties === undefined ? [own] : [own, ...rowsOf(field, `${path}.`)];
  });
}

function wordsOf({ type, enum: choices, const: only, items, anyOf, properties, minimum, maximum }) {
  if (choices !== undefined) return choices.map((one) => `\`${one}\``).join(", ");
  if (only !== undefined) return `\`${only}\``;
  if (anyOf !== undefined) return anyOf.map(wordsOf).join(" or ");
  if (type === "array")
    return Array.isArray(items) ? `list of ${items.length} texts` : `list of ${wordsOf(items ?? {})}`;
  if (type === "object") return properties === undefined ? "mapping" : `\`{ ${Object.keys(properties).join(", ")} }\``;
  if (type === "integer")
    return maximum === undefined || maximum > 1e12 ? "number" : `number, ${minimum} to ${maximum}`;
  return type === "boolean" ? "`true` or `false`" : type === "number" ? "number" : "text";
}

/** What stands below the title of the kind's own README, with links that lead from here. */
function prose(folder) {
  const readme = new URL(`../${folder}/README.md`, import.meta.url);
  if (!existsSync(readme)) return [];
  const [, ...lines] = readFileSync(readme, "utf8").trim().split("\n");
  const text = lines.join("\n").trim();
  const from = (target) => posix.relative("docs/providers", posix.join(folder, target));
  const moved = text.replaceAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g, (_, target) => `](${from(target)}`);
  return ["## In its own words", moved.replaceAll(/^##/gm, "###")];
}
