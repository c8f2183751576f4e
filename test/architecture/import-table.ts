/** What the files of one place may import. */
export interface FolderRule {
  /** A folder or file from the root; `<kind>` stands for one folder. The longest that fits a file rules it. */
  readonly place: string;
  readonly holds: string;
  /** Places of the project it may import besides itself. */
  readonly imports: readonly string[];
  /** Places it may import types of, and nothing that runs. */
  readonly typesOf?: readonly string[];
  /** Packages of `ruledPackages` it may use, as prefixes; every other package is free, unless the place is closed. */
  readonly packages: readonly string[];
  /** Only the listed packages, none of Node's own modules either unless `node:` is listed. */
  readonly isClosed?: true;
}

const temporal = "@temporalio/";

/** Packages that belong somewhere. Those not named here are free. */
export const ruledPackages = [temporal, "zod", "kysely", "pg", "yaml", "fastify", "@fastify/", "commander", "croner"];

/** ARCHITECTURE.md shows this table; it is generated from here. Tests and `test/` may import anything. */
export const importTable: readonly FolderRule[] = [
  { place: "domain/", holds: "vocabulary and every decision; pure", imports: [], packages: [], isClosed: true },
  {
    place: "calendar/",
    holds: "when work is due and when consumers may feel it: cron, windows, freezes; pure",
    imports: ["domain/"],
    packages: ["croner"],
    isClosed: true,
  },
  {
    place: "workflows/",
    holds: "what Temporal replays",
    imports: ["domain/"],
    typesOf: ["activities/"],
    packages: ["@temporalio/workflow"],
    isClosed: true,
  },
  {
    place: "activities/",
    holds: "one step per file, `createActivities(deps)`",
    imports: ["domain/", "providers/", "custody/", "ledger/", "receipt/"],
    packages: ["@temporalio/activity", "@temporalio/common"],
  },
  {
    place: "providers/catalog.ts",
    holds: "one line per kind",
    imports: ["domain/", "providers/"],
    packages: ["zod"],
  },
  {
    place: "providers/contract/",
    holds: "issuer, consumer, evidence, value, `Secret`, egress",
    imports: ["domain/"],
    packages: ["zod"],
  },
  {
    place: "providers/systems/<kind>/",
    holds: "the client of one system that several kinds, or custody, talk to",
    imports: ["domain/", "providers/contract/"],
    packages: ["zod"],
  },
  ...["issuers", "consumers", "evidence"].map((family) => ({
    place: `providers/${family}/<kind>/`,
    holds: `one kind of ${family === "evidence" ? "evidence" : family.slice(0, -1)}, with its SDK`,
    imports: ["domain/", "providers/contract/", "providers/systems/"],
    packages: ["zod", "yaml", "pg"],
  })),
  {
    place: "custody/",
    holds: "the store of values",
    imports: [
      "domain/",
      "providers/contract/secret.ts",
      "providers/contract/value.ts",
      "providers/systems/",
      "ledger/custody-rows.ts",
      "ledger/custody-places.ts",
    ],
    typesOf: ["providers/contract/", "ledger/database.ts"],
    packages: ["zod"],
  },
  {
    place: "ledger/",
    holds: "all SQL: migrations, one file per table group",
    imports: ["domain/", "calendar/"],
    packages: ["kysely", "pg"],
  },
  {
    place: "receipt/",
    holds: "what a receipt says, how it is signed, checked and shown; asks nobody",
    imports: [],
    packages: ["node:", "canonicalize", "zod"],
    isClosed: true,
  },
  {
    place: "manifests/",
    holds: "YAML in, plan and apply",
    imports: ["domain/", "calendar/", "ledger/", "providers/catalog.ts"],
    typesOf: ["providers/contract/"],
    packages: ["zod", "yaml"],
  },
  {
    place: "settings.ts",
    holds: "the only reader of the environment",
    imports: ["domain/", "settings-files.ts", "settings-shapes.ts"],
    packages: ["zod"],
  },
  { place: "settings-files.ts", holds: "files that settings name", imports: ["domain/"], packages: ["zod"] },
  { place: "settings-shapes.ts", holds: "how settings are written", imports: ["domain/"], packages: ["zod"] },
  { place: "release.ts", holds: "which release this program is", imports: [], packages: ["node:"], isClosed: true },
  {
    place: "worker/",
    holds: "`main.ts`: the only `Worker.create`; dispatcher, sealer",
    imports: [
      "domain/",
      "workflows/",
      "activities/",
      "providers/",
      "custody/",
      "ledger/",
      "manifests/",
      "settings.ts",
      "release.ts",
      "embedded/",
    ],
    packages: [temporal, "zod"],
  },
  {
    place: "api/",
    holds: "one file per resource",
    imports: [
      "domain/",
      "calendar/",
      "ledger/",
      "manifests/",
      "receipt/",
      "custody/",
      "providers/catalog.ts",
      "providers/contract/",
      "settings.ts",
      "release.ts",
    ],
    packages: ["zod", "fastify", "@fastify/"],
  },
  {
    place: "cli/",
    holds: "one file per command",
    imports: ["api/client.ts", "receipt/", "settings.ts"],
    packages: ["commander", "zod", "yaml"],
  },
  {
    place: "embedded/",
    holds: "starts PostgreSQL, Temporal, everything",
    imports: [],
    packages: ["node:"],
    isClosed: true,
  },
  {
    place: "demo/",
    holds: "the demonstration: a cluster, an application, four scenes",
    imports: ["embedded/", "api/client.ts"],
    packages: ["pg", "yaml"],
  },
  { place: "examples/", holds: "what an application adds, in a few lines", imports: [], packages: ["pg"] },
  { place: "scripts/", holds: "set-up, checks, generated pages, the package", imports: ["*"], packages: ["*"] },
  { place: "bin/", holds: "the program `rekey`", imports: ["cli/", "scripts/setup/"], packages: [] },
];
