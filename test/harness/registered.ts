import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import pg from "pg";
import { connectionBinding, connectionSecretRef, versionRef } from "../../custody/refs.ts";
import { defaultPolicy, type Policy } from "../../domain/policy.ts";
import { adoptCredential } from "../../ledger/adoption.ts";
import { transact } from "../../ledger/database.ts";
import { readCheck } from "../../ledger/checks.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConnection, storeConnectionSecret, storeConsumer, storeCredential } from "../../ledger/registry.ts";
import { reserveRotations } from "../../ledger/reserve-rotations.ts";
import { catalog } from "../../providers/catalog.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { makeAdmin, makePair, newSecret } from "./postgres-issuer.ts";
import { startShop, type Shop } from "./shop.ts";
import { newMark, untilLedger, type World } from "./world.ts";

/** A credential with its application, registered and adopted. */
export interface Registered {
  readonly credentialId: string;
  readonly consumerId: string;
  readonly connectionId: string;
  readonly database: string;
  readonly file: string;
  readonly applicationName: string;
  /** In the order of use: the first is version 1's. */
  readonly logins: readonly string[];
  /** The owner of the pair; in a single slot the login itself. */
  readonly owner: string;
  /** Today's password, as the application has it. */
  readonly password: string;
  /** Of the connection's own login. */
  readonly adminPassword: string;
  readonly shop: Shop;
  rotate(reason?: string): Promise<string>;
}

/** What registering needs of a world. */
export type RegisteredAt = Pick<World, "issuer" | "ledger" | "custody" | "folder">;

export interface RegisterOptions {
  readonly order?: "overlap" | "single-slot";
  readonly policy?: Partial<Policy>;
  /** Where the application's file lies: a folder below the allowed root that exists already. */
  readonly folder?: string;
  /** True: nobody is registered, although the application runs. */
  readonly isUnregistered?: boolean;
  /** Overrides the evidence that the consumer can give. */
  readonly evidence?: {
    readonly wanted?: "attested" | "observed" | "acknowledged" | "delivered";
    readonly collectors: Readonly<Record<string, unknown>>;
  };
}

/** Fast enough for a test, with every wait of the real thing. */
const testPolicy: Policy = {
  ...defaultPolicy,
  graceMs: 300,
  disabledForMs: 300,
  observeForMs: 300,
  lookEveryMs: 100,
  holdAfterMs: 4_000,
  answersInRow: 2,
  attempts: 6,
  retryFirstMs: 100,
  retryLongestMs: 1_000,
};

const by = { actor: "tok_test", isNew: true, changes: [] };

export async function register(world: RegisteredAt, options: RegisterOptions = {}): Promise<Registered> {
  const { issuer, ledger, custody } = world;
  const mark = newMark();
  const order = options.order ?? "overlap";
  const database = `orders_${mark}`;
  const logins = await makeLogins(world, mark, order);
  await issuer.ask(`CREATE DATABASE ${database} OWNER ${logins.owner}`);
  await issuer.ask(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, item text); ALTER TABLE orders OWNER TO ${logins.owner}`,
    database,
  );
  const file = join(options.folder ?? join(world.folder, "targets"), `${mark}.env`);
  await writeFile(
    file,
    `# the shop of ${mark}\nMODE=live\nDB_USER=${logins.names[0]}\nDB_PASSWORD=${logins.password}\n`,
    { mode: 0o600 },
  );
  const applicationName = `shop-${mark}`;
  const shop = await startShop({ file, host: issuer.host, port: issuer.port, database, applicationName });
  const ids = {
    team: newId("team"),
    environment: newId("environment"),
    connection: newId("connection"),
    credential: newId("credential"),
    consumer: newId("consumer"),
  };
  await sql`INSERT INTO teams (id, name) VALUES (${ids.team}, ${mark})`.execute(ledger.db);
  await sql`INSERT INTO environments (id, name) VALUES (${ids.environment}, ${mark})`.execute(ledger.db);
  const settings = { host: issuer.host, port: issuer.port, database: "postgres", user: logins.admin.user };
  const config =
    order === "overlap"
      ? { owner: logins.owner, logins: logins.names, database }
      : { login: logins.names[0], database };
  const kind = "postgres-role";
  const instance = await instanceOf(world);
  const secretRow = newId("custodyValue");
  await custody.putIfAbsent(
    connectionSecretRef(
      { id: ids.connection, name: mark, kind, settings, pool: "default", secret_row: secretRow, secret_revision: 1 },
      instance,
    ),
    { password: new Secret(logins.admin.password) },
  );
  const principals = order === "overlap" ? [logins.owner, ...logins.names] : [logins.owner];
  const target = `file:${file}`;
  await transact(ledger, async (trx) => {
    await storeConnection(
      trx,
      {
        id: ids.connection,
        teamId: ids.team,
        environmentId: ids.environment,
        name: mark,
        kind,
        pool: "default",
        settings,
        adminPrincipal: logins.admin.user,
      },
      by,
    );
    await storeConnectionSecret(
      trx,
      { connectionId: ids.connection, row: secretRow, revision: 1, fingerprint: connectionBinding(kind, settings) },
      "tok_test",
    );
    await storeCredential(
      trx,
      {
        id: ids.credential,
        teamId: ids.team,
        environmentId: ids.environment,
        connectionId: ids.connection,
        name: mark,
        kind,
        order,
        config,
        principals,
        policy: { ...testPolicy, ...options.policy },
        policyId: null,
        inventory: {},
      },
      by,
    );
    if (options.isUnregistered === true) return;
    await storeConsumer(
      trx,
      {
        id: ids.consumer,
        credentialId: ids.credential,
        teamId: ids.team,
        name: "shop",
        kind: "file",
        target,
        config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
        evidence: options.evidence ?? {
          collectors: { sessions: { database, networks: ["127.0.0.1/32"], applicationName, instances: 1 } },
        },
      },
      by,
    );
  });
  await adopt(world, ids.credential, logins.names[0] ?? "", logins.password, { settings, config, kind });
  return {
    credentialId: ids.credential,
    consumerId: ids.consumer,
    connectionId: ids.connection,
    database,
    file,
    applicationName,
    logins: logins.names,
    owner: logins.owner,
    password: logins.password,
    adminPassword: logins.admin.password,
    shop,
    async rotate(reason = "due") {
      const { reserved, refused } = await reserveRotations(ledger, [
        { credentialId: ids.credential, requestedBy: "tok_test", reason },
      ]);
      const [one] = reserved;
      if (one === undefined) throw new Error(`not reserved: ${refused[0]?.detail}`);
      return one.rotationId;
    },
  };
}

async function instanceOf({ ledger }: RegisteredAt): Promise<string> {
  const { rows } = await sql<{ id: string }>`SELECT id FROM instance`.execute(ledger.db);
  return rows[0]?.id ?? "";
}

async function makeLogins({ issuer }: RegisteredAt, mark: string, order: "overlap" | "single-slot") {
  if (order === "overlap") {
    const pair = await makePair(issuer, { suffix: mark });
    const options = issuer.version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
    await issuer.ask(
      `GRANT ${pair.owner} TO ${pair.logins[1]}${options}; ALTER ROLE ${pair.logins[1]} SET role = '${pair.owner}'`,
    );
    return { owner: pair.owner, names: [...pair.logins], admin: pair.admin, password: pair.password };
  }
  const login = `single_${mark}`;
  const password = newSecret();
  const admin = { user: `admin_${mark}`, password: newSecret() };
  await issuer.ask(`CREATE ROLE ${login} LOGIN PASSWORD ${pg.escapeLiteral(password)}`);
  await makeAdmin(issuer, admin, [login]);
  return { owner: login, names: [login], admin, password };
}

async function adopt(
  world: RegisteredAt,
  credentialId: string,
  username: string,
  password: string,
  of: { readonly settings: unknown; readonly config: unknown; readonly kind: string },
): Promise<void> {
  const definition = catalog.issuers[of.kind];
  if (definition === undefined) throw new Error(`no issuer ${of.kind}`);
  const value = definition.complete(
    definition.connectionSchema.parse(of.settings),
    definition.configSchema.parse(of.config),
    { username, password: new Secret(password) },
  );
  const checkId = await adoptCredential(world.ledger, {
    credentialId,
    actor: "tok_test",
    put: async (place) => {
      await world.custody.putIfAbsent(versionRef(place), value);
    },
  });
  const check = await untilLedger(async () => {
    const found = await readCheck(world.ledger.db, checkId);
    return found?.state === "pending" ? undefined : found;
  });
  if (check.state !== "done") throw new Error(`not adopted: ${JSON.stringify(check.findings)}`);
}
