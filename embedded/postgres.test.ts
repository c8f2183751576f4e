import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isAlive, isGoneWithin } from "./processes.ts";
import { startPostgres, type PostgresOptions, type RunningPostgres } from "./postgres.ts";

let root: string;
const started: RunningPostgres[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "rekey-embedded-"));
});

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
  await rm(root, { recursive: true, force: true });
});

async function start(options: Partial<PostgresOptions> = {}): Promise<RunningPostgres> {
  const server = await startPostgres({ folder: join(root, "pg"), ...options });
  started.push(server);
  return server;
}

async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test("a socket-only server listens on no port and keeps its socket to itself", async () => {
  const server = await start();
  expect(server.port).toBeUndefined();
  expect((await stat(server.socketDir)).mode & 0o777).toBe(0o700);
  const rows = await ask(
    server.url,
    "select current_user as who, current_setting('listen_addresses') as at, inet_server_addr() as tcp",
  );
  expect(rows).toEqual([{ who: "rekey", at: "", tcp: null }]);
});

test("a server with a port wants the password, by SCRAM, on loopback only", async () => {
  const password = "it's a \\ 'word'/%";
  const server = await start({ port: 0, superuser: "boss", password });
  expect(new URL(server.url).hostname).toBe("127.0.0.1");
  const rows = await ask(
    server.url,
    "select rolpassword like 'SCRAM-SHA-256$%' as scram, current_setting('listen_addresses') as at from pg_authid where rolname = 'boss'",
  );
  expect(rows).toEqual([{ scram: true, at: "127.0.0.1" }]);
  await expect(ask(server.url.replace(/:[^:@]*@/, ":wrong@"), "select 1")).rejects.toMatchObject({ code: "28P01" });
  const socket = `postgresql://boss:wrong@/postgres?host=${encodeURIComponent(server.socketDir)}&port=${server.port}`;
  await expect(ask(socket, "select 1")).rejects.toMatchObject({ code: "28P01" });
});

test("no file keeps the superuser's password", async () => {
  const server = await start({ port: 0, password: "correct-horse-battery" });
  const place = dirname(server.socketDir);
  for (const name of await readdir(place, { recursive: true })) {
    const text = await readFile(join(place, name), "latin1").catch(() => "");
    expect(text.includes("correct-horse-battery"), name).toBe(false);
  }
});

test("a statement that fails does not reach the log with its text", async () => {
  const server = await start();
  await expect(ask(server.url, "alter role nobody_there password 'canary-in-a-statement'")).rejects.toThrow();
  const log = await readFile(join(dirname(server.socketDir), "postgres.log"), "utf8");
  expect(log).toContain("nobody_there");
  expect(log).not.toContain("canary-in-a-statement");
});

test("data and port outlive a stop", async () => {
  const first = await start({ port: 0, password: "p" });
  await ask(first.url, "create table kept as select 7 as n");
  await first.stop();
  expect(await isAlive(first.pid)).toBe(false);
  const second = await start({ port: 0, password: "p" });
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, "select n from kept")).toEqual([{ n: 7 }]);
});

test("the server of a process of ours that was killed is adopted", async () => {
  const script = `import { startPostgres } from ${JSON.stringify(join(import.meta.dirname, "postgres.ts"))};
    const server = await startPostgres({ folder: ${JSON.stringify(join(root, "pg"))} });
    process.stdout.write(server.pid + "\\n");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = await new Promise<number>((resolve) =>
    child.stdout.once("data", (line: Buffer) => resolve(Number(line.toString()))),
  );
  child.kill("SIGKILL");
  const server = await start();
  expect(server.pid).toBe(pid);
  expect(await ask(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
  await server.stop();
  expect(await isAlive(pid)).toBe(false);
});

test("a server that was killed leaves a lock that does not stand in the way", async () => {
  const first = await start();
  await ask(first.url, "create table kept as select 7 as n");
  process.kill(first.pid, "SIGKILL");
  expect(await isGoneWithin(first.pid, 5000)).toBe(true);
  const second = await start();
  expect(second.pid).not.toBe(first.pid);
  expect(await ask(second.url, "select n from kept")).toEqual([{ n: 7 }]);
});

test("a lock whose process number now belongs to a stranger is not taken for a server, and the stranger lives on", async () => {
  const first = await start();
  const lock = join(dirname(first.socketDir), "data", "postmaster.pid");
  const text = await readFile(lock, "utf8");
  await first.stop();
  const stranger = spawn("sleep", ["60"]);
  try {
    await writeFile(lock, text.replace(/^\d+/, String(stranger.pid)));
    const second = await start();
    expect(second.pid).not.toBe(stranger.pid);
    expect(await isAlive(Number(stranger.pid))).toBe(true);
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("changed settings restart a server that would be adopted", async () => {
  const first = await start();
  const second = await start({ settings: { max_connections: "33" } });
  expect(second.pid).not.toBe(first.pid);
  expect(await ask(second.url, "show max_connections")).toEqual([{ max_connections: "33" }]);
});

test("given access lines replace all others", async () => {
  const server = await start({
    port: 0,
    password: "p",
    hba: ["local all all scram-sha-256", "host all all 127.0.0.1/32 reject"],
  });
  await expect(ask(server.url, "select 1")).rejects.toMatchObject({ code: "28000" });
});

test("a long home gets a short socket folder, and the same one again", async () => {
  const folder = join(root, "a".repeat(120));
  // As root the server may lie elsewhere, in a place that is short already; an owner of the whole path does not move.
  const first = await start({ folder });
  expect(Buffer.byteLength(join(first.socketDir, ".s.PGSQL.65432"))).toBeLessThanOrEqual(107);
  expect(basename(first.socketDir)).not.toBe("");
  await first.stop();
  const second = await start({ folder });
  expect(second.socketDir).toBe(first.socketDir);
});

test("a port without a password is refused", async () => {
  await expect(start({ port: 0 })).rejects.toThrow(/needs a password/);
});

test("a folder without binaries is named", async () => {
  await expect(start({ binaries: root })).rejects.toThrow(root);
});
