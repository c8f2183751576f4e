import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { newFolder, rekey, start } from "../harness/cli.ts";
import { makePair, newSecret, releases, startIssuerServer } from "../harness/postgres-issuer.ts";
import { startShop } from "../harness/shop.ts";
import { watchProcesses } from "./scan.ts";

export type ProductRun = Awaited<ReturnType<typeof startProductRun>>;

/** Characters that each encoding writes in another way, in both halves. Printable ASCII, as SCRAM wants it. */
const awkward = () => [newSecret(), newSecret()].map((part) => `${part.slice(0, 14)}"/%\\+`).join("");

/**
 * `rekey up` with a login in use, an application that works with it, and an issuer that logs every statement. All of the
 * product's files, temporary ones too, lie below one folder.
 */
export async function startProductRun() {
  const place = await newFolder();
  // The account that PostgreSQL runs as has to get to its own folder below.
  await chmod(place, 0o711);
  const [home, targets] = [join(place, "home"), join(place, "targets")];
  await mkdir(targets, { mode: 0o700 });
  const issuer = await startIssuerServer(releases[0] ?? { name: "PostgreSQL" });
  const pair = await makePair(issuer);
  const login = await prepareIssuer();
  const files = {
    target: join(targets, "shop.env"),
    adminSecret: join(targets, "admin-password"),
    manifests: join(targets, "manifests.yaml"),
    wrongManifest: join(targets, "wrong.yaml"),
    signingSecret: join(targets, "signing-secret"),
    slackAddress: join(targets, "slack-address"),
  };
  await writeFile(files.target, `DB_USER=${login.user}\nDB_PASSWORD=${login.password}\n`, { mode: 0o600 });
  await writeFile(files.adminSecret, login.adminPassword, { mode: 0o600 });
  // Nobody listens there, so that what is told fails, and is told again.
  const told = {
    signing: `whsec_${randomBytes(32).toString("base64")}`,
    slack: `https://127.0.0.1:9/${randomBytes(24).toString("hex")}`,
  };
  await writeFile(files.signingSecret, told.signing, { mode: 0o600 });
  await writeFile(files.slackAddress, told.slack, { mode: 0o600 });
  const { host, port } = issuer;
  const shop = await startShop({ file: files.target, host, port, database: "orders", applicationName: "shop" });
  const env = { REKEY_HOME: home, REKEY_PORT: "0", REKEY_FILE_ROOTS: targets, REKEY_LOG_LEVEL: "debug", TMPDIR: place };
  const watch = watchProcesses();
  const up = start(["up"], { env });
  await up.line("Ctrl-C stops everything.");

  const output: string[] = [];
  /** Values that were made by the test. */
  const given = new Set([login.password, login.adminPassword, issuer.superuser.password, told.signing, told.slack]);

  /** In verifiers, as anybody should: this server's log shows every statement. */
  async function prepareIssuer() {
    const [user, second] = pair.logins;
    const adminPassword = awkward();
    await issuer.ask(`ALTER ROLE ${pair.admin.user} PASSWORD ${pg.escapeLiteral(adminPassword)}`);
    await issuer.ask("ALTER SYSTEM SET log_statement = 'all'");
    await issuer.ask("SELECT pg_reload_conf()");
    await issuer.ask(`CREATE TABLE orders (item text); ALTER TABLE orders OWNER TO ${pair.owner}`, "orders");
    await issuer.ask(`GRANT CREATE ON SCHEMA public TO ${pair.owner}`, "orders");
    const membership = issuer.version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
    await issuer.ask(`GRANT ${pair.owner} TO ${second}${membership}; ALTER ROLE ${second} SET role = '${pair.owner}'`);
    return { user, password: pair.password, adminUser: pair.admin.user, adminPassword };
  }

  async function stopProduct(): Promise<void> {
    await shop.close();
    up.process.kill("SIGTERM");
    const ended = await up.ended;
    output.push(ended.out, ended.err);
    await watch.stop();
    await issuer.halt();
  }

  let stopped: Promise<void> | undefined;
  const run = {
    place,
    home,
    files,
    issuer,
    pair,
    login,
    told,
    shop,
    watch,
    given,
    /** Standard output and error of every command that has ended. */
    output,
    issuerFolder: join(issuer.socketFolder, ".."),
    async run(args: readonly string[], input?: string) {
      const ran = await rekey(args, { env, ...(input === undefined ? {} : { input }) });
      output.push(ran.out, ran.err);
      return ran;
    },
    /** Passwords that lay in the target and that the test did not write. */
    generated: () => [...new Set(shop.report().held.map(({ password }) => password))].filter((one) => !given.has(one)),
    /** Every secret of this run, the product's own keys and token included. */
    async secrets(): Promise<readonly string[]> {
      const token = (await readFile(join(home, "token"), "utf8")).trim();
      return [...given, ...run.generated(), token, ...(await ownKeys(home))];
    },
    /** Stops the product and takes the issuer away; their files stay. May be repeated. */
    stop: () => (stopped ??= stopProduct()),
    async remove() {
      await run.stop();
      await issuer.stop();
    },
  };
  return run;
}

const ownKeyFiles = ["custody.json", "fingerprint.json", "audit.json"];

async function ownKeys(home: string): Promise<readonly string[]> {
  const texts = await Promise.all(ownKeyFiles.map(async (name) => readFile(join(home, "keys", name), "utf8")));
  const keys = texts.flatMap((text) => (JSON.parse(text) as { keys: readonly { key: string }[] }).keys);
  return keys.flatMap(({ key }) => [key, Buffer.from(key, "base64").toString("hex")]);
}

/** As root the database lies outside the home, which names the place. */
export async function ledgerFolder(home: string): Promise<string> {
  return readFile(join(home, "postgres", "moved-to"), "utf8").catch(() => join(home, "postgres"));
}

/** Writes every page of the ledger to its files. */
export async function checkpoint(home: string): Promise<void> {
  const host = join(await ledgerFolder(home), "socket");
  const client = new pg.Client({ host, port: 5432, user: "rekey", database: "rekey" });
  await client.connect();
  await client.query("CHECKPOINT");
  await client.end();
}
