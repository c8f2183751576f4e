import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { startProgram, type ChildProgram } from "./child-program.ts";
import type { Io } from "./io.ts";
import { warnOfFailpoint } from "./failpoint.ts";

interface Ready {
  readonly applied?: readonly string[];
  readonly address?: string;
  readonly tokenFile?: string;
}

export interface ServeOptions {
  readonly listen?: string;
}

/** `rekey serve` and `rekey worker`: runs until it is told to stop. */
export async function runServe(io: Io, { listen }: ServeOptions): Promise<ExitCode> {
  const env = { ...homeOf(io), ...(listen === undefined ? {} : { REKEY_LISTEN: listen }) };
  const child = startProgram<Ready>({ program: "api/program", args: ["serve"], env });
  const { address = "", tokenFile = "" } = await child.ready;
  io.give({ address, tokenFile });
  io.say(`The API answers at ${address}.`, `  Token: ${tokenFile}`, "  Ctrl-C stops it.");
  return untilEnded(child);
}

export async function runWorker(io: Io): Promise<ExitCode> {
  warnOfFailpoint(io);
  const child = startProgram<Ready>({ program: "worker/program", args: ["worker"], env: homeOf(io) });
  await child.ready;
  io.give({ worker: "ready" });
  io.say("The worker is ready.", "  Ctrl-C stops it once its steps are done.");
  return untilEnded(child);
}

export async function runMigrate(io: Io): Promise<ExitCode> {
  const child = startProgram<Ready>({ program: "api/program", args: ["migrate"], env: homeOf(io) });
  const { applied = [] } = await child.ready;
  await child.ended;
  io.give({ applied });
  io.say(...(applied.length === 0 ? ["The ledger is up to date."] : applied.map((name) => `Applied ${name}.`)));
  return exitCodes.done;
}

const homeOf = ({ settings }: Io) => ({ REKEY_HOME: settings.home });

async function untilEnded(child: ChildProgram<Ready>): Promise<ExitCode> {
  const stop = () => void child.stop();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  return (await child.ended) === 0 ? exitCodes.done : exitCodes.failed;
}
