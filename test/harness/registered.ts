import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import type { Policy } from "../../domain/policy.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { registerCredential, type RegisteredCredential } from "./register-credential.ts";
import { makeAdmin, makePair, newSecret } from "./postgres-issuer.ts";
import { startShop, type Shop } from "./shop.ts";
import { newMark, type World } from "./world.ts";

/** A credential with its application, registered and adopted. */
export interface Registered extends RegisteredCredential {
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
}

/** What registering needs of a world. */
export type RegisteredAt = Pick<World, "issuer" | "ledger" | "custody" | "folder">;

export interface RegisterOptions {
  readonly order?: "overlap" | "single-slot";
  readonly policy?: Partial<Policy>;
  /** Where the application's file lies: a folder below the allowed root that exists already. */
  readonly folder?: string;
  /** The place of its values; the embedded one unless given. */
  readonly custody?: string | undefined;
  /** True: nobody is registered, although the application runs. */
  readonly isUnregistered?: boolean;
  /** Overrides the evidence that the consumer can give. */
  readonly evidence?: {
    readonly wanted?: "attested" | "observed" | "acknowledged" | "delivered";
    readonly collectors: Readonly<Record<string, unknown>>;
  };
}

export async function register(world: RegisteredAt, options: RegisterOptions = {}): Promise<Registered> {
  const { issuer } = world;
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
  const registered = await registerCredential(world, {
    mark,
    kind: "postgres-role",
    order,
    connection: {
      settings: { host: issuer.host, port: issuer.port, database: "postgres", user: logins.admin.user },
      secret: { password: new Secret(logins.admin.password) },
      principal: logins.admin.user,
    },
    config:
      order === "overlap"
        ? { owner: logins.owner, logins: logins.names, database }
        : { login: logins.names[0], database },
    principals: order === "overlap" ? [logins.owner, ...logins.names] : [logins.owner],
    ...(options.isUnregistered === true
      ? {}
      : {
          consumer: {
            name: "shop",
            kind: "file",
            target: `file:${file}`,
            config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
            evidence: options.evidence ?? {
              collectors: { sessions: { database, networks: ["127.0.0.1/32"], applicationName, instances: 1 } },
            },
          },
        }),
    today: { username: logins.names[0] ?? "", password: new Secret(logins.password) },
    policy: options.policy,
    custody: options.custody,
  });
  return {
    ...registered,
    database,
    file,
    applicationName,
    logins: logins.names,
    owner: logins.owner,
    password: logins.password,
    adminPassword: logins.admin.password,
    shop,
  };
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
