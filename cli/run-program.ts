import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { startProgram, type ChildProgram } from "./child-program.ts";
import type { Io } from "./io.ts";
import { usage } from "./cli-error.ts";
import { warnOfFailpoint } from "./failpoint.ts";
import { clock } from "./show-time.ts";

interface Ready {
  readonly applied?: readonly string[];
  readonly address?: string;
  readonly tokenFile?: string;
}

interface Recovered {
  readonly id: string;
  readonly token: string;
  readonly expiresAt: string;
}

export interface ServeOptions {
  readonly listen?: string;
}

/** `rekey serve` and `rekey worker`: runs until it is told to stop. */
export async function runServe(io: Io, { listen }: ServeOptions): Promise<ExitCode> {
  const env = { ...homeOf(io), ...(listen === undefined ? {} : { REKEY_LISTEN: listen }) };
  const child = startProgram<Ready>({ program: "api/program", args: ["serve"], env });
  const { address = "", tokenFile } = await child.ready;
  io.give({ address, tokenFile: tokenFile ?? null });
  io.say(`The API answers at ${address}.`, ...tokenLines(io, tokenFile), "  Ctrl-C stops it.");
  return untilEnded(child);
}

/** Where the token lies, or how to get one: `serve` makes the first one alone. */
function tokenLines({ settings }: Io, tokenFile: string | undefined): readonly string[] {
  if (tokenFile !== undefined) return [`  Token: ${tokenFile}`];
  return [
    `  Token: none that is valid in ${settings.tokenFile}, and none was made, for admins have valid ones.`,
    "    One of them makes you one: rekey token create --role ROLE. Where those of all are lost: rekey token recover",
  ];
}

export async function runWorker(io: Io): Promise<ExitCode> {
  warnOfFailpoint(io);
  const child = startProgram<Ready>({ program: "worker/program", args: ["worker"], env: homeOf(io) });
  await child.ready;
  io.give({ worker: "ready" });
  io.say("The worker is ready.", "  Ctrl-C stops it once its steps are done.");
  return untilEnded(child);
}

export interface MigrateOptions {
  readonly grantTo?: string;
  readonly check?: boolean;
  readonly timeout?: number;
}

export async function runMigrate(io: Io, { grantTo, check, timeout }: MigrateOptions): Promise<ExitCode> {
  if (check === true && grantTo !== undefined)
    throw usage("--check changes nothing, and --grant-to does", "Leave one of them out.");
  if (check !== true && timeout !== undefined)
    throw usage("--timeout says how long --check waits", "Add --check, or leave it out.");
  const option = check === true ? timeout?.toString() : grantTo;
  const args = [check === true ? "check" : "migrate", ...(option === undefined ? [] : [option])];
  const child = startProgram<Ready>({ program: "api/program", args, env: homeOf(io) });
  const { applied = [] } = await child.ready;
  await child.ended;
  io.give({ applied });
  io.say(...(applied.length === 0 ? ["The ledger is up to date."] : applied.map((name) => `Applied ${name}.`)));
  if (grantTo !== undefined) io.say(`${grantTo} has the rights of serve and workers.`);
  return exitCodes.done;
}

/** `rekey keys create`: the key files that the settings name, where there are none yet. */
export async function createKeys(io: Io): Promise<ExitCode> {
  const child = startProgram<{ readonly files: readonly string[] }>({
    program: "api/program",
    args: ["keys"],
    env: homeOf(io),
  });
  const { files } = await child.ready;
  await child.ended;
  io.give({ files });
  io.say(...(files.length === 0 ? ["All key files are there already; nothing was made."] : files.map(madeLine)));
  if (files.length > 0)
    io.say(
      "serve and every worker need the same ones. Copy them to where no backup of the ledger lies: a ledger whose keys",
      "are lost cannot give its values back, and new keys do not open them.",
    );
  return exitCodes.done;
}

/** `rekey token recover`: an admin's token alone on standard output, by the ledger's address instead of the API. */
export async function recoverToken(io: Io): Promise<ExitCode> {
  const child = startProgram<Recovered>({ program: "api/program", args: ["recover"], env: homeOf(io) });
  const made = await child.ready;
  await child.ended;
  io.give(made);
  io.say(made.token);
  io.note(
    `Token ${made.id} of the role admin lives until ${clock(made.expiresAt)}. It is shown this once, and the audit trail says how it came about.`,
    "  Keep it where only its bearer reads: (umask 077; rekey token recover > FILE), then REKEY_TOKEN_FILE=FILE",
    "  `rekey token list --valid` shows those that were lost, and `rekey token revoke` ends them.",
  );
  return exitCodes.done;
}

const madeLine = (file: string): string => `Made ${file}.`;

const homeOf = ({ settings }: Io) => ({ REKEY_HOME: settings.home });

async function untilEnded(child: ChildProgram<Ready>): Promise<ExitCode> {
  const stop = () => void child.stop();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  return (await child.ended) === 0 ? exitCodes.done : exitCodes.failed;
}
