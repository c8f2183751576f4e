import { randomBytes } from "node:crypto";
import pg from "pg";
import { startPostgres } from "../embedded/postgres.ts";

/** One way to log in over TCP. `password` is secret. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** The shop's own PostgreSQL: what rekey rotates logins of, and nothing that rekey itself runs on. */
export interface OrdersCluster {
  /** The superuser's, for the witness that looks from outside. rekey never gets it. */
  readonly keeper: Login;
  /** What rekey's connection logs in as. */
  readonly admin: Login;
  /** Today's login of the order service: version 1. */
  readonly today: Login;
  stop(): Promise<void>;
}

export const ownerRole = "orders_owner";
export const loginPair = ["orders_a", "orders_b"] as const;
export const adminRole = "rekey_admin";

export interface OrdersClusterOptions {
  /** Holds the server's files. Created when absent. */
  readonly folder: string;
  /** A folder with `postgres` and `initdb`, instead of the bundled ones. */
  readonly binaries?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** Starts an empty cluster that asks every login for SCRAM, and makes the database, the pair of logins and the admin role. */
export async function startOrdersCluster(options: OrdersClusterOptions): Promise<OrdersCluster> {
  const password = newPassword();
  const server = await startPostgres({ ...options, port: 0, superuser: "keeper", password });
  try {
    const at = { host: "127.0.0.1", port: server.port ?? 0 };
    const keeper: Login = { ...at, database: "postgres", user: "keeper", password };
    const admin: Login = { ...at, database: "postgres", user: adminRole, password: newPassword() };
    const today: Login = { ...at, database: "orders", user: loginPair[0], password: newPassword() };
    await makeOrders(keeper, admin, today);
    return { keeper, admin, today, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

export function newPassword(): string {
  return randomBytes(24).toString("base64url");
}

/** Runs the statements on one short connection and closes it. */
export async function runStatements(login: Login, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ ...login, application_name: "orders-setup" });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function makeOrders(keeper: Login, admin: Login, today: Login): Promise<void> {
  const client = new pg.Client({ ...keeper, application_name: "orders-setup" });
  await client.connect();
  try {
    const version = Number(
      (await client.query<{ v: string }>("SELECT current_setting('server_version_num') AS v")).rows[0]?.v ?? 0,
    );
    for (const statement of statementsFor(version, admin, today)) await client.query(statement);
  } finally {
    await client.end();
  }
}

function statementsFor(version: number, admin: Login, today: Login): readonly string[] {
  // Since 16 a grant says itself what a member may do, and CREATEROLE alone manages no role that somebody else made.
  const grantsSayMore = version >= 160_000;
  const member = grantsSayMore ? " WITH INHERIT TRUE, SET TRUE" : "";
  const [first, second] = loginPair;
  return [
    `CREATE ROLE ${ownerRole} NOLOGIN`,
    `CREATE ROLE ${first} LOGIN PASSWORD ${pg.escapeLiteral(today.password)}`,
    // The free slot: it exists with the same rights, and nobody can log in with it.
    `CREATE ROLE ${second} NOLOGIN`,
    ...loginPair.flatMap((login) => [
      `GRANT ${ownerRole} TO ${login}${member}`,
      // What either login creates then belongs to the owner role, so that the other can use it.
      `ALTER ROLE ${login} SET role = '${ownerRole}'`,
    ]),
    `CREATE ROLE ${adminRole} LOGIN CREATEROLE PASSWORD ${pg.escapeLiteral(admin.password)}`,
    `GRANT pg_signal_backend, pg_monitor TO ${adminRole}`,
    ...(grantsSayMore
      ? [ownerRole, ...loginPair].map(
          (role) => `GRANT ${role} TO ${adminRole} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`,
        )
      : []),
    `CREATE DATABASE orders OWNER ${ownerRole}`,
    "REVOKE ALL ON DATABASE orders FROM PUBLIC",
    `GRANT CONNECT ON DATABASE orders TO ${adminRole}`,
  ];
}
