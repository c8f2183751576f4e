import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import pg from "pg";
import { stringify } from "yaml";
import { createConnectionSecrets } from "../../api/connection-secrets.ts";
import { checkSecretRef, versionRef } from "../../custody/refs.ts";
import { adoptCredential, type AdoptedPlace } from "../../ledger/adoption.ts";
import { readCheck, requestCheckWithSecret, type Check } from "../../ledger/checks.ts";
import { reserveRotations } from "../../ledger/reserve-rotations.ts";
import { applyManifests } from "../../manifests/apply.ts";
import { catalog } from "../../providers/catalog.ts";
import type { InitStep } from "../../providers/contract/init.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { newSecret } from "./postgres-issuer.ts";
import { startShop, type Shop } from "./shop.ts";
import type { StepBench } from "./step-bench.ts";
import { untilLedger } from "./world.ts";
import { onlyEmbedded } from "./memory-custody.ts";

/** A database that knows nothing of rekey, with an application on one ordinary login that owns everything. */
export interface OrdinaryLogin {
  readonly name: string;
  readonly password: string;
  readonly database: string;
  readonly file: string;
  readonly shop: Shop;
  /** The application again, by another way. */
  reopen(through: { readonly host: string; readonly port: number }): Promise<Shop>;
}

/** What a check of kind `init` answered. */
export interface InitFound {
  readonly steps: readonly InitStep[];
  readonly credential: string;
  readonly isUnderRekey?: boolean;
  /** Registered already, and used. */
  readonly connection?: string;
  readonly manifests: readonly { readonly kind: string; readonly spec?: Readonly<Record<string, unknown>> }[];
}

const actor = "tok_test";

/** Its tables lie in a schema that only the login's own search path leads to, and its sessions are counted. */
export async function makeOrdinaryLogin(
  bench: StepBench,
  name = `app_${randomBytes(4).toString("hex")}`,
  through: { readonly host: string; readonly port: number } = bench.issuer,
): Promise<OrdinaryLogin> {
  const { issuer, folder } = bench;
  const database = `db_${randomBytes(4).toString("hex")}`;
  const password = newSecret();
  const login = pg.escapeIdentifier(name);
  await issuer.ask(`CREATE ROLE ${login} LOGIN CONNECTION LIMIT 6 PASSWORD ${pg.escapeLiteral(password)}`);
  await issuer.ask(`CREATE DATABASE ${database} OWNER ${login}`);
  await issuer.ask(
    `
    CREATE SCHEMA shop AUTHORIZATION ${login}; ALTER ROLE ${login} IN DATABASE ${database} SET search_path = shop;
    CREATE TABLE shop.orders (id bigserial PRIMARY KEY, item text); ALTER TABLE shop.orders OWNER TO ${login}`,
    database,
  );
  const file = join(folder, "targets", `${database}.env`);
  await writeFile(file, `DB_USER=${quoted(name)}\nDB_PASSWORD=${password}\n`, { mode: 0o600 });
  const reopen = async ({ host, port }: { readonly host: string; readonly port: number }): Promise<Shop> =>
    startShop({ file, host, port, database, applicationName: `shop-${database}` });
  return { name, password, database, file, shop: await reopen(through), reopen };
}

const quoted = (text: string): string => (/^\w+$/.test(text) ? text : `'${text}'`);

async function answered(bench: StepBench, checkId: string): Promise<Check> {
  return untilLedger(async () => {
    const found = await readCheck(bench.ledger.db, "everything", checkId);
    return found?.state === "pending" ? undefined : found;
  });
}

/** `rekey init`, by the superuser. */
export async function initFor(
  bench: StepBench,
  login: OrdinaryLogin,
  {
    host,
    port,
    admin = `admin_${login.database}`,
  }: { readonly host: string; readonly port: number; readonly admin?: string } = bench.issuer,
): Promise<InitFound & Pick<Check, "findings">> {
  const { superuser } = bench.issuer;
  const { name: role, database, file } = login;
  const asked = {
    issuer: "postgres-role",
    question: { connection: { host, port, database, user: superuser.user }, role, admin },
    team: "main",
    environment: "production",
    name: database.replace("_", "-"),
    consumer: {
      kind: "file",
      config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
    },
  };
  const check = await bench.checking(async () =>
    answered(
      bench,
      await requestCheckWithSecret(
        bench.ledger,
        { kind: "init", arguments: asked, requestedBy: actor },
        {
          async put(made) {
            await bench.custody.putIfAbsent(checkSecretRef(made, made.instance), {
              password: new Secret(superuser.password),
            });
          },
          forget: async (made) => bench.custody.forget(checkSecretRef(made, made.instance)),
        },
      ),
    ),
  );
  if (check.state !== "done") throw new Error(JSON.stringify(check.findings));
  return { ...(check.result as InitFound), findings: check.findings };
}

/** Runs what was printed, as it is printed; a person's part in `\password` is played by a statement. */
export async function paste(bench: StepBench, steps: readonly InitStep[], adminPassword: string): Promise<void> {
  for (const { run, where } of steps) {
    const [, role] = /^\\password (.+)$/.exec(run) ?? [];
    if (role !== undefined) await bench.issuer.ask(`ALTER ROLE ${role} PASSWORD ${pg.escapeLiteral(adminPassword)}`);
    else if (where.startsWith("psql")) await bench.issuer.ask(run);
    else for (const line of run.split("\n").filter((each) => !each.startsWith("#"))) await bench.issuer.addRule(line);
  }
}

/** Short enough for a test, with every wait of the real thing. */
const policy = {
  ...{ grace: "300ms", disabledFor: "300ms", observeFor: "300ms", lookEvery: "100ms", holdAfter: "4s" },
  ...{ answersInRow: 2, attempts: 6, retryFirst: "100ms", retryLongest: "1s" },
};

/** Applies the manifests as they were written, but for the time that they take. The credential's id. */
export async function applyFor(bench: StepBench, { manifests }: InitFound, adminPassword: string): Promise<string> {
  const documents = manifests.map((one) => {
    if (one.kind === "Credential") return { ...one, spec: { ...one.spec, policy } };
    return one.kind === "Connection" ? { ...one, spec: { ...one.spec, secretFrom: "given" } } : one;
  });
  const text = documents.map((one) => stringify(one, { lineWidth: 0 })).join("---\n");
  const files = [{ name: "rekey.yaml", text, secrets: { 2: new Secret(adminPassword) } }];
  const { ledger, custody, deps } = bench;
  const { rows } = await sql<{ id: string }>`SELECT id FROM instance`.execute(ledger.db);
  const secrets = createConnectionSecrets({ custody, fingerprints: deps.fingerprints, instance: rows[0]?.id ?? "" });
  const plan = await applyManifests({ ledger, catalog, secrets, custody: onlyEmbedded }, { files, actor });
  if (plan.outcome !== "planned") throw new Error(JSON.stringify(plan));
  await applyManifests(
    { ledger, catalog, secrets, custody: onlyEmbedded },
    { files, actor, planDigest: plan.plan.digest },
  );
  const found = await sql<{ id: string }>`SELECT id FROM credentials ORDER BY created_at DESC LIMIT 1`.execute(
    ledger.db,
  );
  return found.rows[0]?.id ?? "";
}

/** `rekey credential adopt`. */
export async function adoptFor(
  bench: StepBench,
  credentialId: string,
  { name, password }: OrdinaryLogin,
  { isUnknown = false } = {},
): Promise<Check> {
  const { rows } = await sql<{ config: unknown; kind: string }>`
    SELECT config, kind FROM credentials WHERE id = ${credentialId}`.execute(bench.ledger.db);
  const definition = catalog.issuers[rows[0]?.kind ?? ""];
  if (definition === undefined) throw new Error("no such kind");
  const put = async (place: AdoptedPlace): Promise<void> => {
    const given = { username: name, password: new Secret(password) };
    const value = definition.complete(
      definition.connectionSchema.parse(place.settings),
      definition.configSchema.parse(rows[0]?.config),
      given,
    );
    await bench.custody.putIfAbsent(versionRef(place), value);
  };
  return bench.checking(async () =>
    answered(
      bench,
      await adoptCredential(bench.ledger, {
        credentialId,
        actor,
        put: isUnknown ? { unknown: name } : put,
      }),
    ),
  );
}

export async function reserveFor(bench: StepBench, credentialId: string): Promise<string> {
  const { reserved, refused } = await reserveRotations(bench.ledger, [
    { credentialId, requestedBy: actor, reason: "due" },
  ]);
  const [one] = reserved;
  if (one === undefined) throw new Error(`not reserved: ${refused[0]?.detail}`);
  return one.rotationId;
}
