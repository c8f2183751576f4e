import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Account } from "./unprivileged.ts";

export interface ClusterOptions {
  /** The folder with `postgres` and `initdb`. */
  readonly binaries: string;
  /** Where the side folder lies; on one file system with `data`. */
  readonly place: string;
  readonly data: string;
  readonly superuser: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly account: Account | undefined;
  readonly log: (line: string) => void;
}

/** Makes a database folder with its database in a side folder, then renames it: a crash leaves none or a whole one. */
export async function makeCluster(to: ClusterOptions): Promise<void> {
  if (await readFile(join(to.data, "PG_VERSION"), "utf8").catch(() => undefined)) return;
  const mark = randomBytes(6).toString("hex");
  const side = join(to.place, `.data-${mark}`);
  const passwordFile = join(to.place, `.password-${mark}`);
  const started = performance.now();
  const initdb = join(to.binaries, "initdb");
  try {
    const builtin = Number(/ (\d+)/.exec(await run(initdb, ["--version"], to.account))?.[1]) >= 17;
    const args = ["-D", side, "-U", to.superuser, "--encoding=UTF8", "--no-instructions", "--locale=C"];
    if (builtin) args.push("--locale-provider=builtin", "--builtin-locale=C.UTF-8");
    if (to.password === undefined) args.push("--auth-local=trust", "--auth-host=scram-sha-256");
    else {
      await writeFile(passwordFile, `${to.password}\n`, { mode: 0o600 });
      if (to.account !== undefined) await chown(passwordFile, to.account.uid, to.account.gid);
      args.push("--auth=scram-sha-256", `--pwfile=${passwordFile}`);
    }
    await run(initdb, args, to.account);
    if (to.database !== "postgres") await makeDatabase(to, side);
    const conf = join(side, "postgresql.conf");
    await writeFile(conf, `${await readFile(conf, "utf8")}\ninclude_if_exists = 'rekey.conf'\n`);
    await rename(side, to.data);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(side, { recursive: true, force: true });
  }
  to.log(`made a new database folder in ${Math.round(performance.now() - started)} ms`);
}

/** Single-user mode needs no login. It ends with 0 whatever a statement did, so its words are read. */
async function makeDatabase({ binaries, database, account }: ClusterOptions, side: string): Promise<void> {
  const args = ["--single", "-D", side, "postgres"];
  const said = await run(join(binaries, "postgres"), args, account, `CREATE DATABASE ${database}\n`);
  if (/\b(ERROR|FATAL|PANIC):/.test(said))
    throw new Error(`The database ${database} could not be made: ${said.trim()}`);
}

function run(program: string, args: string[], account: Account | undefined, input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: "/",
      stdio: "pipe",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stdin.on("error", () => undefined); // a child that died says why itself
    child.stdin.end(input);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(said);
      else reject(new Error(`initdb failed: ${said.trim().slice(-1500)}`));
    });
  });
}
