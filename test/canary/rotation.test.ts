import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import pg from "pg";
import { stringify } from "yaml";
import { describe, expect, it } from "vitest";
import { newFolder, rekey, start } from "../harness/cli.ts";
import { makePair, releases, startIssuerServer } from "../harness/postgres-issuer.ts";
import { startShop } from "../harness/shop.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { needlesOf, scanFolder, scanProcesses, scanText, type Finding } from "./scan.ts";

const metadata = (name: string) => ({ name, team: "shop", environment: "test" });

describe.runIf(hasTemporal)("a whole run of the product", () => {
  it("invariant 6: leaves no byte of a secret outside custody and the targets", { timeout: 240_000 }, async () => {
    const home = await newFolder();
    const targets = await newFolder();
    const issuer = await startIssuerServer(releases[0] ?? { name: "PostgreSQL" });
    const pair = await makePair(issuer);
    const [first, second] = pair.logins;
    await issuer.ask("ALTER SYSTEM SET log_statement = 'all'");
    await issuer.ask("SELECT pg_reload_conf()");
    await issuer.ask(`CREATE TABLE orders (item text); ALTER TABLE orders OWNER TO ${pair.owner}`, "orders");
    await issuer.ask(`GRANT CREATE ON SCHEMA public TO ${pair.owner}`, "orders");
    const membership = issuer.version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
    await issuer.ask(`GRANT ${pair.owner} TO ${second}${membership}; ALTER ROLE ${second} SET role = '${pair.owner}'`);
    const file = join(targets, "shop.env");
    const admin = join(targets, "admin-password");
    await writeFile(file, `DB_USER=${first}\nDB_PASSWORD=${pair.password}\n`, { mode: 0o600 });
    await writeFile(admin, pair.admin.password, { mode: 0o600 });
    const shop = await startShop({
      file,
      host: issuer.host,
      port: issuer.port,
      database: "orders",
      applicationName: "shop",
    });
    const held = new Set([pair.password, pair.admin.password]);
    const output: string[] = [];
    const env = { REKEY_HOME: home, REKEY_PORT: "0", REKEY_FILE_ROOTS: targets };
    const up = start(["up"], { env });
    await up.line("Ctrl-C stops everything.");
    const run = async (args: readonly string[], input?: string) => {
      const ran = await rekey(args, { env, ...(input === undefined ? {} : { input }) });
      output.push(ran.out, ran.err);
      held.add(/DB_PASSWORD=["']?([^"'\n]*)/.exec(await readFile(file, "utf8"))?.[1] ?? pair.password);
      return ran;
    };
    try {
      const manifests = [
        { kind: "Team", metadata: { name: "shop" }, spec: {} },
        { kind: "Environment", metadata: { name: "test" }, spec: {} },
        {
          kind: "Connection",
          metadata: metadata("db"),
          spec: {
            kind: "postgres-role",
            config: { host: issuer.host, port: issuer.port, database: "postgres", user: pair.admin.user },
            secretFrom: { file: admin },
          },
        },
        {
          kind: "Credential",
          metadata: metadata("orders"),
          spec: {
            issuer: "postgres-role",
            connection: "shop/db",
            config: { owner: pair.owner, logins: [...pair.logins], database: "orders" },
            policy: {
              grace: "300ms",
              disabledFor: "300ms",
              observeFor: "300ms",
              lookEvery: "100ms",
              holdAfter: "1s",
              answersInRow: 2,
            },
          },
        },
        {
          kind: "Consumer",
          metadata: metadata("shop"),
          spec: {
            credential: "shop/orders",
            kind: "file",
            config: { path: file, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
            evidence: { sessions: { database: "orders", networks: ["127.0.0.1/32"], applicationName: "shop" } },
          },
        },
      ];
      const text = (all: readonly object[]) =>
        all.map((one) => stringify({ apiVersion: "rekey/v1", ...one })).join("---\n");
      const path = join(targets, "manifests.yaml");
      await writeFile(path, text(manifests));
      expect(await run(["apply", "-f", path, "--yes"])).toMatchObject({ code: 0 });
      // Wrong in two ways: the value that is not today's, and a secret in plain sight in a manifest.
      await run(["credential", "adopt", "shop/orders", "--username", first], `${pair.password}x`);
      const plain = join(targets, "plain.yaml");
      const spec = { kind: "postgres-role", config: { host: "localhost", user: "a", password: pair.admin.password } };
      await writeFile(plain, text([{ kind: "Connection", metadata: metadata("plain"), spec }]));
      expect((await run(["apply", "-f", plain, "--yes"])).code).not.toBe(0);
      expect(await run(["credential", "adopt", "shop/orders", "--username", first], pair.password)).toMatchObject({
        code: 0,
      });
      expect(await run(["rotate", "shop/orders", "--wait"])).toMatchObject({ code: 0 });
      shop.isStubborn = true;
      const heldUp = await run(["rotate", "shop/orders", "--wait", "--json"]);
      expect(heldUp.code).toBe(3);
      const id = /rot_[0-9a-z]{26}/.exec(heldUp.out)?.[0] ?? "";
      for (const args of [
        ["rotation", "show", id],
        ["rotation", "list"],
        ["rotation", "plan", "shop/orders"],
        ["credential", "show", "shop/orders"],
        ["credential", "list"],
        ["audit", "list", "--limit", "200"],
      ])
        for (const json of [[], ["--json"]]) expect((await run([...args, ...json])).code, args.join(" ")).toBe(0);
      // While it waits, with everything at work.
      const needles = needlesOf([...held]);
      const found: Finding[] = [...(await scanProcesses(needles))];
      expect(await run(["rotation", "roll-back", id, "--reason", "test"])).toMatchObject({ code: 0 });
      shop.isStubborn = false;
      await run(["rotation", "watch", id]);
      found.push(...(await historiesOf(home, needlesOf([...held]))));
      await checkpoint(home);
      const all = needlesOf([...held]);
      expect(held.size).toBeGreaterThanOrEqual(4);
      found.push(...scanText("output", output.join("\n"), all));
      // The consumer's own file, and the files from which a person gave a secret, are where they may be.
      found.push(...(await scanFolder(targets, all, [file, admin, plain])));
      found.push(...(await scanFolder(home, all)));
      found.push(...(await scanFolder(await dataFolder(home), all)));
      found.push(...(await scanFolder(join(issuer.socketFolder, ".."), all)));
      expect(found).toEqual([]);
    } finally {
      await shop.close();
      up.process.kill("SIGTERM");
      const ended = await up.ended;
      expect(scanText("up", ended.out + ended.err, needlesOf([...held]))).toEqual([]);
      await issuer.stop();
    }
  });
});

async function historiesOf(home: string, needles: ReturnType<typeof needlesOf>): Promise<readonly Finding[]> {
  const record = JSON.parse(await readFile(join(home, "temporal", "server.json"), "utf8")) as { readonly port: number };
  const connection = await Connection.connect({ address: `127.0.0.1:${record.port}` });
  const client = new Client({ connection });
  const found: Finding[] = [];
  let count = 0;
  for await (const { workflowId } of client.workflow.list()) {
    count += 1;
    const history = historyToJSON(await client.workflow.getHandle(workflowId).fetchHistory());
    const decoded = history.replaceAll(/"data":\s*"([^"]*)"/g, (_, data: string) =>
      Buffer.from(data, "base64").toString(),
    );
    found.push(...scanText(workflowId, history + decoded, needles));
  }
  await connection.close();
  expect(count).toBeGreaterThanOrEqual(3);
  return found;
}

/** As root the database lies outside the home, which names the place. */
async function dataFolder(home: string): Promise<string> {
  return readFile(join(home, "postgres", "moved-to"), "utf8").catch(() => join(home, "postgres"));
}

async function checkpoint(home: string): Promise<void> {
  const client = new pg.Client({
    host: join(await dataFolder(home), "socket"),
    port: 5432,
    user: "rekey",
    database: "rekey",
  });
  await client.connect();
  await client.query("CHECKPOINT");
  await client.end();
}
