import { open, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ApiError, createClient, type Client } from "../api/client.ts";
import { readSettings, type Settings } from "../settings.ts";
import { CliError, exitCodeOf, linesOf, tellOf } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { trust } from "./trust.ts";

export interface GlobalOptions {
  readonly home?: string;
  readonly json?: boolean;
}

/** What a command has to work with. */
export interface Io {
  readonly settings: Settings;
  readonly isJson: boolean;
  /** Ends with Ctrl-C. */
  readonly signal: AbortSignal;
  client(): Promise<Client>;
  /** Lines for a person; nothing with `--json`. */
  say(...lines: readonly string[]): void;
  /** One line of JSON with `--json`; nothing otherwise. */
  give(answer: unknown): void;
  /** Lines for a person, on standard error: what stands on standard output is meant for a file. */
  note(...lines: readonly string[]): void;
  /** On standard error, for a person as for a program. */
  warn(text: string): void;
}

export type Work = (io: Io) => Promise<ExitCode | undefined>;

/** Runs one command: reads the settings, prints what goes wrong with what to do next, sets the exit code. */
export async function run(options: GlobalOptions, work: Work): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once("SIGINT", interrupt);
  // Whoever reads our lines may stop before we do.
  process.stdout.on("error", () => interrupted.abort());
  try {
    const settings = readSettings(process.env, options.home === undefined ? {} : { REKEY_HOME: resolve(options.home) });
    process.exitCode = (await work(openIo(settings, options.json === true, interrupted.signal))) ?? exitCodes.done;
  } catch (error) {
    if (interrupted.signal.aborted) process.exitCode = exitCodes.interrupted;
    else fail(error, options.json === true);
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}

/** Tells on standard error what went wrong, and what to do next, and sets the exit code. */
export function fail(error: unknown, isJson: boolean): void {
  const told = tellOf(error);
  process.stderr.write(isJson ? `${JSON.stringify({ error: told })}\n` : `${linesOf(told).join("\n")}\n`);
  process.exitCode = exitCodeOf(error);
}

function openIo(settings: Settings, isJson: boolean, signal: AbortSignal): Io {
  return {
    settings,
    isJson,
    signal,
    async client() {
      if (settings.caFile !== undefined) trust(settings.caFile);
      return named(
        createClient({ address: await addressOf(settings), token: await tokenOf(settings), signal }),
        settings,
      );
    },
    say(...lines) {
      if (!isJson) process.stdout.write(`${lines.join("\n")}\n`);
    },
    give(answer) {
      if (isJson) process.stdout.write(`${JSON.stringify(answer)}\n`);
    },
    note(...lines) {
      if (!isJson) process.stderr.write(`${lines.join("\n")}\n`);
    },
    warn(text) {
      process.stderr.write(isJson ? `${JSON.stringify({ warning: text })}\n` : `rekey: WARNING: ${text}\n`);
    },
  };
}

/** Where the API refuses the token, the file is named that it was read from. */
function named(client: Client, { tokenFile }: Settings): Client {
  return {
    ...client,
    call: async (name, request) =>
      client.call(name, request).catch((error: unknown) => {
        if (!(error instanceof ApiError) || error.problem.code !== "token_refused") throw error;
        throw new CliError(
          `The API at ${client.address} does not take the token in ${tokenFile}: ${error.problem.detail}`,
          "Name the file of a valid one in REKEY_TOKEN_FILE; an admin makes you one with `rekey token create`. `rekey up`, started again, writes a new one to its home folder; `rekey token recover` makes one by the ledger's address.",
          exitCodes.failed,
          "token_refused",
        );
      }),
  };
}

/** What the settings say, else what `rekey up` left in the home folder, else the usual port. */
async function addressOf({ address, home, port }: Settings): Promise<string> {
  if (address !== undefined) return address;
  try {
    const { address: announced } = JSON.parse(await readFile(join(home, "up.json"), "utf8")) as { address?: unknown };
    if (typeof announced === "string") return announced;
  } catch {
    // Nobody has announced anything here.
  }
  return `http://127.0.0.1:${port}`;
}

async function tokenOf({ tokenFile }: Settings): Promise<string> {
  let file;
  try {
    file = await open(tokenFile, "r");
  } catch {
    throw new CliError(
      `There is no token that can be read at ${tokenFile}`,
      "Set REKEY_TOKEN_FILE to the file of yours, or --home (or REKEY_HOME) to the home folder of the `rekey up` that runs here. Where none runs, start it; started again, it makes a lost token anew.",
    );
  }
  try {
    const { mode } = await file.stat();
    if ((mode & 0o077) !== 0)
      throw new CliError(`${tokenFile} can be read by others`, `Run \`chmod 600 ${tokenFile}\`.`);
    return (await file.readFile("utf8")).trim();
  } finally {
    await file.close();
  }
}
