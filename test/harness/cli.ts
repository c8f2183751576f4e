import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import type { TestApi } from "./api.ts";

const bin = fileURLToPath(new URL("../../bin/rekey", import.meta.url));

export interface Ran {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export interface Started {
  readonly process: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Resolves with the first line of standard output that the text is in; rejects when it ends before. */
  line(text: string): Promise<string>;
}

const running = new Set<ChildProcess>();
const folders: string[] = [];

/** What our own environment names would lead a command elsewhere. */
const cleared = { DATABASE_URL: "", DATABASE_URL_FILE: "", TEMPORAL_ADDRESS: "", REKEY_ADDRESS: "", REKEY_HOME: "" };

/** Starts the program `rekey` as a user would. It is ended at the end of the file at the latest. */
export function start(args: readonly string[], { env = {}, input }: RunOptions = {}): Started {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...cleared, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  running.add(child);
  let out = "";
  let err = "";
  const looks = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    for (const look of looks) look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdin.on("error", () => undefined);
  if (input !== undefined || args.length > 0) child.stdin.end(input ?? "");
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      running.delete(child);
      resolve({ code, out, err });
    });
  });
  return {
    process: child,
    ended,
    line: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = out.split("\n").find((line) => line.includes(text));
          if (found === undefined) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
        void ended.then(() => reject(new Error(`it ended first: ${out}${err}`)), reject);
      }),
  };
}

export const rekey = (args: readonly string[], options?: RunOptions): Promise<Ran> => start(args, options).ended;

export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rk-cli-"));
  folders.push(folder);
  return folder;
}

export interface CliPlace {
  readonly folder: string;
  /** Where this API is, and with which token. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command against this API. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  start(args: readonly string[], options?: RunOptions): Started;
  file(name: string, text: string): Promise<string>;
}

/** Lets the API answer on a port of its own, for commands that are told where. */
export async function withCli(api: TestApi): Promise<CliPlace> {
  const folder = await newFolder();
  await api.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = api.app.server.address() as AddressInfo;
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${api.token}\n`, { mode: 0o600 });
  await chmod(tokenFile, 0o600);
  const env = { REKEY_ADDRESS: `http://127.0.0.1:${port}`, REKEY_TOKEN_FILE: tokenFile, REKEY_HOME: folder };
  return {
    folder,
    env,
    run: (args, options = {}) => rekey(args, { ...options, env: { ...env, ...options.env } }),
    start: (args, options = {}) => start(args, { ...options, env: { ...env, ...options.env } }),
    async file(name, text) {
      const path = join(folder, name);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
  };
}

afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});
