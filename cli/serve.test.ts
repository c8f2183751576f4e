import { rm, stat, readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { newFolder, rekey, start } from "../test/harness/cli.ts";
import { withDatabase } from "../test/harness/ledger.ts";
import { startProgram } from "./child-program.ts";

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}

async function place(url?: string) {
  const home = await newFolder();
  return { home, env: { DATABASE_URL: url ?? (await withDatabase()), REKEY_HOME: home, REKEY_PORT: "0" } };
}

describe("rekey migrate", () => {
  it("applies what is missing once, and says so", async () => {
    const { env } = await place();
    const first = await rekey(["migrate"], { env });
    expect(first).toMatchObject({ code: 0, out: expect.stringContaining("Applied 0001-base.sql.") });
    expect((await rekey(["migrate"], { env })).out).toContain("up to date");
  });

  it("needs to be told where the ledger is, and says when nothing answers there", async () => {
    const none = await rekey(["migrate"], { env: { REKEY_HOME: await newFolder() } });
    expect(none.err).toContain("DATABASE_URL_FILE: name a file");
    const { env } = await place("postgres://nobody@127.0.0.1:9/none");
    const gone = await rekey(["migrate"], { env });
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining("PostgreSQL did not answer") });
    expect(gone.err).not.toMatch(/^\s+at /m);
  });
});

describe("rekey migrate --check", () => {
  it("changes nothing, and ends well only when the schema is this program's; waiting, once another one has made it so", async () => {
    const { env } = await place();
    const older = await rekey(["migrate", "--check"], { env });
    expect(older).toMatchObject({ code: 1, err: expect.stringContaining("The ledger lacks 0001-base.sql") });
    const waiting = rekey(["migrate", "--check", "--timeout", "5m"], { env });
    expect((await rekey(["migrate"], { env })).out).toContain("Applied 0001-base.sql.");
    expect(await waiting).toMatchObject({ code: 0, out: expect.stringContaining("up to date") });
  });

  it("goes with no change of rights, and no waiting goes without it", async () => {
    const env = { REKEY_HOME: await newFolder() };
    expect((await rekey(["migrate", "--check", "--grant-to", "rekey"], { env })).code).toBe(2);
    expect((await rekey(["migrate", "--timeout", "5m"], { env })).code).toBe(2);
  });
});

describe("rekey keys create", () => {
  it("makes the three key files, each for this user alone, and makes none where one is", async () => {
    const home = await newFolder();
    const first = await rekey(["keys", "create", "--json"], { env: { REKEY_HOME: home } });
    const { files } = JSON.parse(first.out) as { readonly files: readonly string[] };
    expect(files).toEqual(["custody", "fingerprint", "audit"].map((name) => join(home, "keys", `${name}.json`)));
    for (const file of files) expect((await stat(file)).mode & 0o777).toBe(0o600);
    const before = await Promise.all(files.map(async (file) => readFile(file, "utf8")));
    await rm(files[1] ?? "");
    const second = await rekey(["keys", "create"], { env: { REKEY_HOME: home } });
    expect(second.out).toContain("Made ");
    expect(await readFile(files[0] ?? "", "utf8")).toBe(before[0]);
    expect((await rekey(["keys", "create"], { env: { REKEY_HOME: home } })).out).toContain("nothing was made");
  });
});

describe("rekey serve", () => {
  it("answers on the loopback address, writes a token 0600, keeps it, and ends by a signal", async () => {
    const { home, env } = await place();
    await rekey(["migrate"], { env });
    const serving = start(["serve"], { env });
    const address = (await serving.line("The API answers at")).match(/http:\S+\d/)?.[0] ?? "";
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const token = join(home, "token");
    expect((await stat(token)).mode & 0o777).toBe(0o600);
    const listed = await rekey(["credential", "list"], { env: { ...env, REKEY_ADDRESS: address } });
    expect(listed).toMatchObject({ code: 0, out: expect.stringContaining("no credential yet") });
    const text = await readFile(token, "utf8");
    serving.process.kill("SIGTERM");
    expect((await serving.ended).code).toBe(0);
    const again = start(["serve"], { env });
    await again.line("The API answers at");
    expect(await readFile(token, "utf8")).toBe(text);
    again.process.kill("SIGINT");
    expect((await again.ended).code).toBe(0);
  });

  it("makes a new token when the former has expired or belongs to another ledger", async () => {
    const { home, env } = await place();
    await rekey(["migrate"], { env });
    const token = join(home, "token");
    const texts: string[] = [];
    for (const change of ["", "UPDATE tokens SET expires_at = now()", "DELETE FROM tokens"]) {
      if (change !== "") await query(env.DATABASE_URL, change);
      const serving = start(["serve"], { env });
      await serving.line("The API answers at");
      texts.push(await readFile(token, "utf8"));
      serving.process.kill("SIGTERM");
      await serving.ended;
    }
    expect(new Set(texts).size).toBe(3);
  });

  it("makes none where an admin has a valid one, as in a container that begins empty, and says how to get one", async () => {
    const { env } = await place();
    await rekey(["migrate"], { env });
    const first = start(["serve"], { env });
    await first.line("Token: /");
    const others = [
      { ...env, REKEY_HOME: await newFolder() },
      { ...env, REKEY_HOME: await newFolder() },
    ];
    for (const other of others) {
      const serving = start(["serve"], { env: other });
      const address = (await serving.line("The API answers at")).match(/http:\S+\d/)?.[0] ?? "";
      expect(await serving.line("Token:")).toContain(`none that is valid in ${join(other.REKEY_HOME, "token")}`);
      expect(await serving.line("rekey token recover")).toContain("rekey token create --role ROLE");
      const asked = { ...env, REKEY_ADDRESS: address };
      expect((await rekey(["token", "list"], { env: asked })).out.match(/tok_/g)).toHaveLength(1);
      serving.process.kill("SIGTERM");
      await serving.ended;
    }
    const json = start(["serve", "--json"], { env: others[0] ?? {} });
    expect(JSON.parse(await json.line("address"))).toMatchObject({ tokenFile: null });
  });

  it("makes a lost one anew for whoever runs all on one machine by `rekey up`, though admins have valid ones", async () => {
    const { home, env } = await place();
    const token = join(home, "token");
    const texts: string[] = [];
    for (let round = 0; round < 2; round += 1) {
      // What `rekey up` runs as its API.
      const api = startProgram<{ tokenFile?: string }>({ program: "api/program", args: ["up"], env });
      expect((await api.ready).tokenFile).toBe(token);
      texts.push(await readFile(token, "utf8"));
      await api.stop();
      await rm(token);
    }
    expect(new Set(texts).size).toBe(2);
  });

  it("lets whoever has the ledger's address make an admin's token when all are lost, and the audit trail says so", async () => {
    const { home, env } = await place();
    await rekey(["migrate"], { env });
    const serving = start(["serve"], { env });
    const address = (await serving.line("The API answers at")).match(/http:\S+\d/)?.[0] ?? "";
    await rm(join(home, "token"));
    const asked = { ...env, REKEY_ADDRESS: address };
    expect((await rekey(["token", "list"], { env: asked })).err).toContain("There is no token");
    const { code, out, err } = await rekey(["token", "recover"], { env });
    expect([code, out]).toEqual([0, expect.stringMatching(/^rk_[A-Za-z0-9_-]{43}\n$/)]);
    expect(err).toMatch(/^Token tok_\w+ of the role admin lives until/);
    expect(err).not.toContain(out.trim());
    await writeFile(join(home, "token"), out, { mode: 0o600 });
    expect((await rekey(["token", "list"], { env: asked })).out).toMatch(/system:recovery +recovered by/);
    expect((await rekey(["audit", "list"], { env: asked })).out).toMatch(
      /system:recovery.*token\.made|token\.made.*system:recovery/,
    );
    const nowhere = await rekey(["token", "recover"], { env: { REKEY_HOME: home } });
    expect([nowhere.code, nowhere.out, nowhere.err]).toEqual([2, "", expect.stringContaining("DATABASE_URL_FILE")]);
  });

  it("says that the port is taken", async () => {
    const { env } = await place();
    await rekey(["migrate"], { env });
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    const { code, err } = await rekey(["serve"], { env: { ...env, REKEY_PORT: String(port) } });
    taken.close();
    expect(code).toBe(1);
    expect(err).toContain(`Something listens on 127.0.0.1:${port} already.`);
    expect(err).toContain("REKEY_PORT");
  });

  it("refuses an older and a newer ledger, with what to run", async () => {
    const { env } = await place();
    expect((await rekey(["serve"], { env })).err).toContain("Run `rekey migrate`");
    await rekey(["migrate"], { env });
    await query(env.DATABASE_URL, "INSERT INTO schema_migrations (name, sha256) VALUES ('9999-later.sql', 'x')");
    for (const command of ["serve", "migrate"]) {
      const { code, err } = await rekey([command], { env });
      expect([command, code]).toEqual([command, 1]);
      expect(err).toContain("9999-later.sql");
      expect(err).toContain("newer");
    }
  });

  it("makes no new keys while values that rest in another place need the lost ones", async () => {
    const { home, env } = await place();
    await rekey(["migrate"], { env });
    const serving = start(["serve"], { env });
    await serving.line("The API answers at");
    serving.process.kill("SIGTERM");
    await serving.ended;
    await query(env.DATABASE_URL, "INSERT INTO custody_places (key, place) VALUES ('a/1/version', 'far')");
    await rm(join(home, "keys", "fingerprint.json"));
    const { code, err } = await rekey(["serve"], { env });
    expect(code).toBe(1);
    expect(err).toContain("fingerprint.json does not exist. Restore it");
  });

  it("makes no new custody key while values need the lost one", async () => {
    const { home, env } = await place();
    await rekey(["migrate"], { env });
    const serving = start(["serve"], { env });
    await serving.line("The API answers at");
    serving.process.kill("SIGTERM");
    await serving.ended;
    await query(
      env.DATABASE_URL,
      `INSERT INTO custody_values (key, format, key_id, key_check, wrap_nonce, wrapped_key, nonce, ciphertext)
       VALUES ('a/1/version', 1, 'key_lost', '\\x${"00".repeat(8)}', '\\x${"00".repeat(12)}', '\\x${"00".repeat(48)}',
         '\\x${"00".repeat(12)}', '\\x${"00".repeat(17)}')`,
    );
    await rm(join(home, "keys", "custody.json"));
    const { code, err } = await rekey(["serve"], { env });
    expect(code).toBe(1);
    expect(err).toContain("custody.json does not exist. Restore it");
  });
});
