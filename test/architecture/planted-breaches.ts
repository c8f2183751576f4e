/** A made-up file that breaks one rule, or one close to it that keeps it. */
export interface Planted {
  readonly rule: string;
  readonly path: string;
  readonly text: string;
  /** What else has to be there for the rule to speak. */
  readonly beside?: Readonly<Record<string, string>>;
}

const imports = "each folder imports only what the table allows";
const environment = "only settings.ts reads the environment";
const worker = "only worker/main.ts creates a Temporal worker";
const failures = "only the failure boundary builds an ApplicationFailure";
const egress = "only the egress client goes out by HTTP";
const statements = "all SQL of the ledger lies in ledger/";
const reveals = "only listed places reveal a secret";
const exits = "code does not end the process from inside";
const listed = "each folder of a provider is in the catalog";
const kinds = "nothing but its folder and the catalog names a kind of issuer or consumer";
const size = "no file of code is longer than 400 lines";
const names = "files and folders are named for a thing or a verb, in kebab-case";
const tests = "no test runs alone, and none is skipped but by `needs`";
const words = "no notes to self, silenced types or paths of one machine";

const pages = "pages name files and folders that are there";

const plant = (rule: string, path: string, text: string, beside?: Planted["beside"]): Planted =>
  beside === undefined ? { rule, path, text } : { rule, path, text, beside };

const definition = { "providers/issuers/made-up/issuer.ts": "export {};" };
const listedKind = { ...definition, "providers/catalog.ts": 'import { madeUp } from "./issuers/made-up/issuer.ts";' };
const lines = (count: number) => "export {};\n".repeat(count);

/** Each of these must be found. */
export const breaches: readonly Planted[] = [
  plant(imports, "domain/order.ts", 'import { openLedger } from "../ledger/database.ts";'),
  plant(imports, "domain/order.ts", 'import { randomBytes } from "node:crypto";'),
  plant(imports, "domain/order.ts", 'import type { Ledger } from "../ledger/database.ts";'),
  plant(imports, "domain/order.ts", 'export { Ledger } from "../ledger/database.ts";'),
  plant(imports, "domain/order.ts", 'export const load = () => import("../ledger/database.ts");'),
  plant(imports, "domain/order.ts", 'import {\n  a,\n  b,\n} from "../ledger/database.ts";'),
  plant(imports, "domain/order.ts", '/* a comment */ import "../ledger/database.ts";'),
  plant(imports, "workflows/rotate-credential.ts", 'import { issue } from "../activities/issue.ts";'),
  plant(imports, "workflows/rotate-credential.ts", 'import type { Rotation } from "../ledger/tables.ts";'),
  plant(imports, "workflows/rotate-credential.ts", 'import { setTimeout } from "node:timers/promises";'),
  plant(imports, "workflows/rotate-credential.ts", 'import { Worker } from "@temporalio/worker";'),
  plant(imports, "workflows/rotate-credential.ts", 'import pino from "pino";'),
  plant(imports, "activities/issue.ts", 'import { proxyActivities } from "@temporalio/workflow";'),
  plant(imports, "activities/issue.ts", 'import { settings } from "../settings.ts";'),
  plant(imports, "activities/issue.ts", 'import { sql } from "kysely";'),
  plant(imports, "providers/issuers/one/issuer.ts", 'import { quote } from "../two/quote.ts";'),
  plant(imports, "providers/issuers/one/issuer.ts", 'import { write } from "../../consumers/file/write.ts";'),
  plant(imports, "providers/issuers/one/issuer.ts", 'import { catalog } from "../../catalog.ts";'),
  plant(imports, "providers/issuers/one/issuer.ts", 'import { openLedger } from "../../../ledger/database.ts";'),
  plant(imports, "providers/issuers/one/issuer.ts", 'import { Context } from "@temporalio/activity";'),
  plant(imports, "providers/contract/value.ts", 'import { file } from "../consumers/file/consumer.ts";'),
  plant(imports, "custody/fingerprint.ts", 'import { openLedger } from "../ledger/database.ts";'),
  plant(imports, "ledger/holds.ts", 'import { Secret } from "../providers/contract/secret.ts";'),
  plant(imports, "manifests/apply.ts", 'import { embedded } from "../custody/embedded.ts";'),
  plant(imports, "worker/main.ts", 'import { buildApi } from "../api/build-api.ts";'),
  plant(imports, "api/rotations.ts", 'import { issue } from "../activities/issue.ts";'),
  plant(imports, "api/rotations.ts", 'import { Client } from "@temporalio/client";'),
  plant(imports, "cli/rotate.ts", 'import { openLedger } from "../ledger/database.ts";'),
  plant(imports, "cli/rotate.ts", 'import { startAll } from "../embedded/start-all.ts";'),
  plant(imports, "embedded/postgres.ts", 'import pg from "pg";'),
  plant(imports, "embedded/postgres.ts", 'import { orders } from "../domain/order.ts";'),
  plant(imports, "demo/scenes.ts", 'import { openLedger } from "../ledger/database.ts";'),
  plant(imports, "worker/main.ts", 'import { scenes } from "../demo/scenes.ts";'),
  plant(imports, "worker/main.ts", 'import { withLedger } from "../test/harness/ledger.ts";'),
  plant(imports, "ledger/holds.ts", 'import { made } from "./holds.test.ts";'),
  plant(imports, "somewhere/new.ts", "export {};"),

  plant(environment, "worker/main.ts", "const url = process.env.DATABASE_URL;"),
  plant(environment, "worker/main.ts", 'const url = process.env["DATABASE_URL"];'),
  plant(environment, "worker/main.ts", 'import { env } from "node:process";'),
  plant(environment, "cli/up.ts", "const { HOME } = process.env;"),
  plant(worker, "worker/second.ts", "await Worker.create({ taskQueue });"),
  plant(worker, "embedded/start-all.ts", "await Worker\n  .create({ taskQueue });"),
  plant(failures, "activities/issue.ts", "throw ApplicationFailure.nonRetryable(message);"),
  plant(failures, "workflows/rotate-credential.ts", "throw new ApplicationFailure(message);"),
  plant(egress, "providers/evidence/challenge/collect.ts", "await fetch(address);"),
  plant(egress, "providers/evidence/challenge/collect.ts", "await globalThis.fetch(address);"),
  plant(egress, "providers/evidence/challenge/collect.ts", 'import { request } from "node:https";'),
  plant(egress, "activities/deliver.ts", 'import { request } from "undici";'),
  plant(statements, "activities/issue.ts", "await sql`SELECT 1`.execute(db);"),
  plant(statements, "activities/issue.ts", "await sql<{ id: string }>`SELECT 1`.execute(db);"),
  plant(statements, "api/rotations.ts", 'await client.query("SELECT id FROM rotations");'),
  plant(statements, "worker/sealer.ts", "await client.query(`UPDATE rotations SET phase = $1`);"),
  plant(reveals, "api/credentials.ts", "log(secret.reveal());"),
  plant(reveals, "activities/deliver.ts", 'revealField(value, "password");'),
  plant(exits, "ledger/migrate.ts", "process.exit(1);"),

  plant(listed, "providers/issuers/made-up/issuer.ts", "export {};"),
  plant(listed, "providers/issuers/made-up/issuer.ts", "export {};", {
    "providers/catalog.ts": "export const all = [];",
  }),
  plant(listed, "providers/evidence/guess/collect.ts", "export {};", listedKind),
  plant(kinds, "domain/guard.ts", 'if (kind === "made-up") return true;', listedKind),
  plant(kinds, "api/connections.ts", "const kinds = ['made-up'];", listedKind),
  plant(kinds, "manifests/plan-consumer.ts", 'if (row.kind === "place") notes.push("");', {
    "providers/consumers/place/definition.ts": "export {};",
  }),

  plant(size, "ledger/holds.ts", lines(401)),
  plant(names, "domain/utils.ts", "export {};"),
  plant(names, "domain/helpers/order.ts", "export {};"),
  plant(names, "domain/order-fns.ts", "export {};"),
  plant(names, "domain/types.test.ts", "export {};"),
  plant(names, "domain/orderOf.ts", "export {};"),
  plant(names, "api/Rotations.ts", "export {};"),
  plant(tests, "domain/order.test.ts", 'it.only("does one thing", () => {});'),
  plant(tests, "domain/order.test.ts", 'describe.concurrent.only("orders", () => {});'),
  plant(tests, "domain/order.test.ts", 'test.skip("does one thing", () => {});'),
  plant(tests, "domain/order.test.ts", 'it.skipIf(isRoot)("does one thing", () => {});'),
  plant(tests, "domain/order.test.ts", 'it.todo("does one thing");'),
  plant(tests, "domain/order.test.ts", 'it("does one thing", (context) => context.skip());'),
  plant(tests, "domain/order.test.ts", 'it("does one thing", (context) => context.skip("no server: set REKEY_X"));'),
  plant(words, "domain/order.ts", "// TODO: do one thing"),
  plant(words, "domain/order.ts", "// @ts-ignore"),
  plant(words, "docs/operating.md", "Look in /root/rekey first."),
  plant(words, "README.md", "See ../shared/notes.md."),
  plant(pages, "ARCHITECTURE.md", "The guard is `domain/guard.ts`."),
  plant(pages, "ARCHITECTURE.md", "All SQL is in `ledger/`."),
  plant(pages, "docs/operating.md", "See [settings](settings.md)."),
  plant(pages, "docs/operating.md", "See [settings](settings.md).", { "settings.md": "# Settings" }),
];

/** Each of these comes close and must not be found. */
export const harmless: readonly Planted[] = [
  plant(imports, "domain/order.ts", '// import { openLedger } from "../ledger/database.ts";'),
  plant(imports, "domain/order.test.ts", 'import { openLedger } from "../ledger/database.ts";'),
  plant(
    imports,
    "workflows/rotate-credential.ts",
    'import type { Activities } from "../activities/create-activities.ts";',
  ),
  plant(imports, "workflows/rotate-credential.ts", 'import { sleep } from "@temporalio/workflow";'),
  plant(imports, "providers/issuers/one/issuer.ts", 'import { quote } from "./quote.ts";\nimport pg from "pg";'),
  plant(imports, "providers/issuers/one/wire/call.ts", 'import { Secret } from "../../../contract/secret.ts";'),
  plant(imports, "worker/main.ts", 'import pino from "pino";'),
  plant(environment, "settings.ts", "const url = process.env.DATABASE_URL;"),
  plant(environment, "cli/up.ts", "spawn(program, { env: { ...process.env, LANG: locale } });"),
  plant(environment, "cli/up.ts", "spawn(program, { env: process.env });"),
  plant(environment, "cli/up.ts", "readSettings(process.env, { REKEY_HOME: home });"),
  plant(environment, "worker/main.ts", "// process.env is read by settings.ts"),
  plant(worker, "worker/main.ts", "await Worker.create({ taskQueue });"),
  plant(failures, "activities/failure-boundary.ts", "throw ApplicationFailure.create({ type: code });"),
  plant(failures, "workflows/rotate-credential.ts", "if (error instanceof ApplicationFailure) return error.type;"),
  plant(egress, "providers/evidence/challenge/collect.ts", "await context.fetch(request, context.signal);"),
  plant(statements, "domain/errors.ts", 'const text = "Select another slot, or update the connection.";'),
  plant(statements, "providers/issuers/one/issuer.ts", 'await client.query("SELECT 1");'),
  plant(reveals, "custody/fingerprint.ts", "secret.reveal();"),
  plant(listed, "providers/issuers/made-up/issuer.ts", "export {};", listedKind),
  plant(kinds, "providers/issuers/made-up/definition.ts", 'export const kind = "made-up";', listedKind),
  plant(size, "ledger/holds.ts", lines(400)),
  plant(size, "ledger/migrations/0009-long.ts", lines(401)),
  plant(names, "domain/undo.test.ts", "export {};"),
  plant(names, "ARCHITECTURE.md", "# Architecture"),
  plant(tests, "domain/order.test.ts", 'it("does one thing", (context) => needs(context, isRoot, "needs root"));'),
  plant(tests, "embedded/up.test.ts", 'describe.skipIf(!hasTemporal)("everything", () => {});'),
  plant(tests, "domain/order.test.ts", 'expect(rows.only).toBe("one"); // it.only'),
  plant(pages, "ARCHITECTURE.md", "`guard.ts` in `domain/`, and `Worker.create`.", { "domain/guard.ts": "export {};" }),
  plant(pages, "ARCHITECTURE.md", "A new `providers/issuers/<kind>/`.", definition),
  plant(pages, "ledger/README.md", "Old ones are in `migrations/`.", { "ledger/migrations/0001.sql": "" }),
  plant(pages, "docs/operating.md", "[here](settings.md#top), [out](https://example.com)", { "docs/settings.md": "#" }),
  plant(words, "README.md", "rekey reads /etc/rekey and writes below /srv/app or /home/app."),
];
